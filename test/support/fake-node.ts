import { jetstream } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  artifactLocation,
  createSealingKey,
  createSigningKey,
  encodeAuctionReply,
  encodeDeployReply,
  encodeFailure,
  encodeInfoReply,
  encodeLameDuckReply,
  encodePingReply,
  encodeStopReply,
  encodeWorkloadPingReply,
  nodeSubscriptions,
  openEnvironment,
  parseAuctionRequest,
  parseControlSubject,
  parseDeployRequest,
  parseStopRequest,
  verifyDeployToken,
  verifyStopToken,
} from "../../src/control-api/index.ts";
import type { DeployRequest, Machine, Memory, WorkloadClaims } from "../../src/control-api/index.ts";
import { errorText } from "../../src/lib/errors.ts";
import { createWorkloadId } from "../../src/lib/ids.ts";

/** What a fake node says about itself. */
export interface FakeNodeOptions {
  readonly url: string;
  /** Tag `node_name`. Default `quiet-otter`. */
  readonly name?: string;
  /** Besides name, operating system and architecture. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly nexus?: string;
  readonly workloadTypes?: readonly string[];
  readonly memory?: Memory;
  /** Text of the refusal of every deploy. */
  readonly refuseDeploys?: string;
  /** Text of the refusal of every stop. */
  readonly refuseStops?: string;
  /** What INFO says of each workload beyond the fields of release 0.2.7. */
  readonly workload?: Partial<Machine["workload"]>;
  /** Text of the refusal of every lame duck command. */
  readonly refuseLameDuck?: string;
  /** Answers nothing but PING, AUCTION and INFO. */
  readonly silent?: boolean;
}

/** A deploy that a fake node has accepted. */
interface FakeDeploy {
  readonly id: string;
  readonly namespace: string;
  readonly request: DeployRequest;
  readonly claims: WorkloadClaims;
  readonly environment: Readonly<Record<string, string>>;
  readonly artifact: Uint8Array;
}

/** A node that speaks the control API over NATS and runs nothing. */
export interface FakeNode extends AsyncDisposable {
  readonly nodeId: string;
  readonly xkey: string;
  /** Every accepted deploy, also of workloads that were stopped. */
  readonly deploys: readonly FakeDeploy[];
  /** Every lame duck command, as it was sent. */
  readonly lameDucks: readonly Uint8Array[];
  /** Ids that run now. */
  running(): string[];
}

/** Starts a fake node; when it resolves, the server has its subscriptions. */
export async function startFakeNode(options: FakeNodeOptions): Promise<FakeNode> {
  const connection = await connect({ servers: options.url });
  const node = new FakeNodeState(connection, options);
  const { auction, pingAll, ping, workloadPing, info, deploy, stop, lameDuck } = nodeSubscriptions(
    node.nodeId,
  );
  answer(connection, pingAll, () => encodePingReply(node.ping()));
  answer(connection, ping, () => encodePingReply(node.ping()));
  answer(connection, auction, (_, body) => (node.fits(body) ? encodeAuctionReply(node.ping()) : undefined));
  answer(connection, workloadPing, (subject) => node.workloadPing(subject));
  answer(connection, info, (subject) => node.info(subject));
  if (options.silent !== true) {
    answer(connection, deploy, async (subject, body) => node.deploy(subject, body));
    answer(connection, stop, (subject, body) => node.stop(subject, body));
    answer(connection, lameDuck, (_, body) => node.lameDuck(body));
  }
  await connection.flush();
  return {
    nodeId: node.nodeId,
    xkey: node.xkey,
    deploys: node.deploys,
    lameDucks: node.lameDucks,
    running: () => [...node.machines.keys()],
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

type Answer = Uint8Array | undefined | Promise<Uint8Array | undefined>;

function answer(
  connection: NatsConnection,
  subject: string,
  handle: (subject: string, body: Uint8Array) => Answer,
): void {
  const serve = async (): Promise<void> => {
    for await (const message of connection.subscribe(subject)) {
      const reply = await handle(message.subject, message.data);
      if (reply !== undefined) message.respond(reply);
    }
  };
  void serve();
}

interface FakeMachine extends FakeDeploy {
  readonly machine: Machine;
}

class FakeNodeState {
  readonly #key = createSigningKey("server");
  readonly #xkey = createSealingKey();
  readonly #connection: NatsConnection;
  readonly #options: FakeNodeOptions;
  readonly deploys: FakeDeploy[] = [];
  readonly lameDucks: Uint8Array[] = [];
  readonly machines = new Map<string, FakeMachine>();

  constructor(connection: NatsConnection, options: FakeNodeOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  get nodeId(): string {
    return this.#key.publicKey;
  }

  get xkey(): string {
    return this.#xkey.publicKey;
  }

  ping(): Parameters<typeof encodePingReply>[0] {
    return {
      node_id: this.nodeId,
      nexus: this.#options.nexus ?? "nexus",
      version: "0.2.7",
      uptime: "8m47s",
      target_xkey: this.xkey,
      tags: this.#tags(),
      running_machines: this.machines.size,
    };
  }

  fits(body: Uint8Array): boolean {
    const { arch, os, workload_types = [] } = parseAuctionRequest(body);
    const tags = this.#tags();
    const types = this.#types();
    return (
      (arch ?? tags["nex.arch"]) === tags["nex.arch"] &&
      (os ?? tags["nex.os"]) === tags["nex.os"] &&
      workload_types.every((type) => types.includes(type))
    );
  }

  workloadPing(subject: string): Uint8Array | undefined {
    const [, , namespace, wanted] = subject.split(".");
    const matches = [...this.machines.values()].filter(
      (each) =>
        each.namespace === namespace &&
        (wanted === undefined || wanted === each.id || wanted === each.machine.workload.name),
    );
    if (matches.length === 0) return undefined;
    const running_machines = matches.map(({ id, namespace, machine }) => {
      const { name, type } = machine.workload;
      return { id, namespace, name, type };
    });
    return encodeWorkloadPingReply({ ...this.ping(), running_machines });
  }

  info(subject: string): Uint8Array {
    const { memory } = this.#options;
    const { version, uptime, tags, target_xkey } = this.ping();
    const namespace = namespaceOf(subject);
    return encodeInfoReply({
      version,
      uptime,
      public_xkey: target_xkey,
      ...(tags === undefined ? {} : { tags }),
      ...(memory === undefined ? {} : { memory }),
      machines: [...this.machines.values()]
        .filter((each) => each.namespace === namespace)
        .map(({ machine }) => machine),
      supported_workload_types: this.#types(),
    });
  }

  async deploy(subject: string, body: Uint8Array): Promise<Uint8Array> {
    const { refuseDeploys } = this.#options;
    if (refuseDeploys !== undefined) return encodeFailure("deploy", refuseDeploys);
    try {
      const deploy = await this.#accept(namespaceOf(subject), parseDeployRequest(body));
      const { id, claims, namespace, request, artifact } = deploy;
      const workload = {
        name: claims.workloadName,
        description: request.description,
        runtime: "8m47s",
        type: request.type,
        hash: claims.hash ?? String(artifact.length),
        ...this.#options.workload,
      };
      this.machines.set(id, {
        ...deploy,
        machine: { id, healthy: true, uptime: "8m47s", namespace, workload },
      });
      this.deploys.push(deploy);
      return encodeDeployReply({ started: true, id, issuer: claims.issuer, name: claims.workloadName });
    } catch (error) {
      return encodeFailure("deploy", errorText(error));
    }
  }

  stop(subject: string, body: Uint8Array): Uint8Array {
    const { refuseStops } = this.#options;
    if (refuseStops !== undefined) return encodeFailure("stop", refuseStops);
    try {
      const { workload_id: id, workload_jwt } = parseStopRequest(body);
      const found = this.machines.get(id);
      if (found === undefined || found.namespace !== namespaceOf(subject)) {
        return encodeFailure("stop", "No such workload");
      }
      verifyStopToken(workload_jwt, found.claims, {
        deployToken: found.request.workload_jwt,
        workloadId: id,
        now: Date.now() / 1000,
        maxAgeSeconds: 300,
      });
      this.machines.delete(id);
      return encodeStopReply({
        stopped: true,
        id,
        issuer: found.claims.issuer,
        name: found.claims.workloadName,
      });
    } catch (error) {
      return encodeFailure("stop", `Invalid stop request: ${errorText(error)}`);
    }
  }

  lameDuck(body: Uint8Array): Uint8Array {
    const { refuseLameDuck } = this.#options;
    if (refuseLameDuck !== undefined) return encodeFailure("lameDuck", refuseLameDuck);
    this.lameDucks.push(body);
    return encodeLameDuckReply({ node_id: this.nodeId, success: true });
  }

  async #accept(namespace: string, request: DeployRequest): Promise<FakeDeploy> {
    const claims = verifyDeployToken(request.workload_jwt, { now: Date.now() / 1000, maxAgeSeconds: 300 });
    const { environment: sealed, sender_public_key: sender } = request;
    const environment = openEnvironment({ sealed, sender, recipient: this.#xkey });
    const { bucket, key } = artifactLocation(request.location);
    const store = await new Objm(jetstream(this.#connection)).open(bucket);
    const artifact = await store.getBlob(key);
    if (artifact === null) throw new Error("Failed to cache workload bytes: nats: object not found");
    return { id: createWorkloadId(), namespace, request, claims, environment, artifact };
  }

  #types(): readonly string[] {
    return this.#options.workloadTypes ?? ["native", "v8", "wasm"];
  }

  #tags(): Readonly<Record<string, string>> {
    const { name = "quiet-otter", tags } = this.#options;
    return { "nex.os": "linux", "nex.arch": "amd64", "nex.cpucount": "2", node_name: name, ...tags };
  }
}

function namespaceOf(subject: string): string {
  const parts = parseControlSubject(subject);
  return parts !== undefined && "namespace" in parts && parts.namespace !== undefined ? parts.namespace : "";
}
