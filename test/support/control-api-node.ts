import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import {
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
  type DeployRequest,
  type NodeSubscriptions,
  type PingReply,
  type WorkloadClaims,
  type WorkloadEnvironment,
} from "../../src/control-api/index.ts";
import { errorText } from "../../src/lib/errors.ts";
import { createWorkloadId } from "../../src/lib/ids.ts";

/** What the node keeps of a workload it "runs". */
export interface AcceptedWorkload {
  readonly namespace: string;
  readonly request: DeployRequest;
  readonly claims: WorkloadClaims;
  readonly environment: WorkloadEnvironment;
}

/** The control API of a node and nothing behind it, on a connection of the test. */
export interface ControlApiNode {
  readonly id: string;
  readonly xkey: string;
  readonly workloads: ReadonlyMap<string, AcceptedWorkload>;
  /** How many stops were refused for their token. */
  readonly stopRefusals: number;
  /** Refuses the next stop of a known workload with this detail. */
  refuseNextStop(detail: string): void;
  stop(): Promise<void>;
}

/** Starts answering; checks requests as a real node does. */
export async function startControlApiNode(
  connection: NatsConnection,
  { arch = "amd64", pingDelayMs = 0 }: { readonly arch?: string; readonly pingDelayMs?: number } = {},
): Promise<ControlApiNode> {
  const id = createSigningKey("server").publicKey;
  const xkey = createSealingKey();
  const workloads = new Map<string, AcceptedWorkload>();
  let lameDuck = false;
  let stopRefusals = 0;
  let nextRefusal: string | undefined;

  const common = { node_id: id, version: "0.2.7", uptime: "1s", target_xkey: xkey.publicKey };
  const self = (): PingReply => ({
    ...common,
    tags: { "nex.arch": arch },
    running_machines: workloads.size,
  });
  const checks = (): { now: number; maxAgeSeconds: number } => ({
    now: Math.floor(Date.now() / 1000),
    maxAgeSeconds: 300,
  });

  function deploy(message: Msg, namespace: string): Uint8Array {
    if (lameDuck) {
      return encodeFailure("deploy", "Node is in lame duck mode. Workload deploy request denied");
    }
    const request = parseDeployRequest(message.data);
    if (request.type === "oci") {
      return encodeFailure("deploy", `Unsupported workload type on this node: ${request.type}`);
    }
    const { environment: sealed, sender_public_key: sender } = request;
    const environment = openEnvironment({ sealed, sender, recipient: xkey });
    const claims = verifyDeployToken(request.workload_jwt, checks());
    const workloadId = createWorkloadId();
    workloads.set(workloadId, { namespace, request, claims, environment });
    return encodeDeployReply({
      started: true,
      id: workloadId,
      issuer: claims.issuer,
      name: claims.workloadName,
    });
  }

  function stop(message: Msg): Uint8Array {
    const { workload_id: workloadId, workload_jwt: token } = parseStopRequest(message.data);
    const workload = workloads.get(workloadId);
    if (workload === undefined) return encodeFailure("stop", "No such workload");
    const { claims, request } = workload;
    const refusal = nextRefusal ?? stopRefusal(token, workloadId, { claims, request });
    nextRefusal = undefined;
    if (refusal !== undefined) {
      stopRefusals++;
      return encodeFailure("stop", `Invalid stop request: ${refusal}`);
    }
    workloads.delete(workloadId);
    return encodeStopReply({
      stopped: true,
      id: workloadId,
      issuer: claims.issuer,
      name: claims.workloadName,
    });
  }

  function stopRefusal(
    token: string,
    workloadId: string,
    { claims, request }: Pick<AcceptedWorkload, "claims" | "request">,
  ): string | undefined {
    try {
      verifyStopToken(token, claims, { ...checks(), workloadId, deployToken: request.workload_jwt });
      return undefined;
    } catch (error) {
      return errorText(error);
    }
  }

  function find(asked: string, idOrName: string | undefined): Uint8Array | undefined {
    const machines = [...workloads]
      .map(([workloadId, { namespace, claims, request }]) => ({
        id: workloadId,
        namespace,
        name: claims.workloadName,
        type: request.type,
      }))
      .filter(({ namespace }) => namespace === asked)
      .filter((machine) => idOrName === undefined || [machine.id, machine.name].includes(idOrName));
    return machines.length === 0
      ? undefined
      : encodeWorkloadPingReply({ ...common, running_machines: machines });
  }

  function answer(message: Msg): Uint8Array | undefined {
    const asked = parseControlSubject(message.subject);
    switch (asked?.kind) {
      case "auction":
        return [undefined, arch].includes(parseAuctionRequest(message.data).arch)
          ? encodeAuctionReply(self())
          : undefined;
      case "ping":
        return encodePingReply(self());
      case "workload-ping":
        return find(asked.namespace, asked.idOrName);
      case "info":
        return encodeInfoReply({
          version: "0.2.7",
          uptime: "1s",
          public_xkey: xkey.publicKey,
          machines: [],
        });
      case "deploy":
        return deploy(message, asked.namespace);
      case "stop":
        return stop(message);
      case "lame-duck":
        lameDuck = true;
        return encodeLameDuckReply({ node_id: id, success: true });
      case "event":
      case "workload-log":
      case "node-log":
      case undefined:
      default:
        return undefined;
    }
  }

  const subscriptions = (
    Object.entries(nodeSubscriptions(id)) as (readonly [keyof NodeSubscriptions, string])[]
  ).map(([kind, subject]): Subscription =>
    connection.subscribe(subject, {
      callback: (_, message) => {
        const reply = answer(message);
        if (reply === undefined) return;
        setTimeout(() => message.respond(reply), kind === "pingAll" ? pingDelayMs : 0);
      },
    }),
  );
  await connection.flush();
  return {
    id,
    xkey: xkey.publicKey,
    workloads,
    get stopRefusals() {
      return stopRefusals;
    },
    refuseNextStop(detail) {
      nextRefusal = detail;
    },
    async stop() {
      for (const subscription of subscriptions) subscription.unsubscribe();
      await connection.flush();
    },
  };
}
