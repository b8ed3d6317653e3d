import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { createControlClient } from "../../src/control-api/control-client.ts";
import type { ControlClient } from "../../src/control-api/control-client.ts";
import type { DeployOrder } from "../../src/control-api/deploy-order.ts";
import type { DeployReply } from "../../src/control-api/deploy.ts";
import { createSigningKey } from "../../src/control-api/keys.ts";
import type { SigningKey } from "../../src/control-api/keys.ts";
import { createSealingKey } from "../../src/control-api/sealing-key.ts";
import type { SealingKey } from "../../src/control-api/sealing-key.ts";
import type { StopReply } from "../../src/control-api/stop.ts";
import { createLogger } from "../../src/lib/logger.ts";
import type { LogEntry } from "../../src/lib/logger.ts";
import { loadConfiguration } from "../../src/node/configuration.ts";
import type { ConfigurationOverrides } from "../../src/node/configuration.ts";
import { startNode } from "../../src/node/start-node.ts";
import type { NodeHandle } from "../../src/node/start-node.ts";
import type { SandboxDriver } from "../../src/sandbox/sandbox.ts";
import { startNats, testNatsServer } from "./start-nats.ts";
import type { TestNats } from "./start-nats.ts";

export interface TestNodeOptions {
  readonly configuration?: ConfigurationOverrides;
  /** A server to share; without one the node gets (and disposes) its own. */
  readonly nats?: TestNats;
  readonly namespace?: string;
  /** Default: the real one. Disposed with the node. */
  readonly driver?: SandboxDriver;
  /** Default that of a node. */
  readonly heartbeatMs?: number;
  /** Default that of a node. */
  readonly instanceIdleMs?: number;
}

/** Short form of a deploy: the artifact is uploaded first. */
export type TestDeploy = { readonly name: string; readonly artifact: string | Uint8Array } & Partial<
  Omit<DeployOrder, "workloadName" | "nodeId" | "location">
>;

/** A real node in this process, on a real server, with real agents. */
export interface TestNode extends AsyncDisposable {
  readonly nats: TestNats;
  readonly node: NodeHandle;
  readonly connection: NatsConnection;
  readonly client: ControlClient;
  readonly issuer: SigningKey;
  readonly publisher: SealingKey;
  /** Path of its pid file. */
  readonly pidFile: string;
  /** Every line the node has logged so far. */
  readonly logs: readonly LogEntry[];
  upload(name: string, artifact: string | Uint8Array): Promise<string>;
  deploy(order: TestDeploy): Promise<DeployReply>;
  stop(workloadId: string, workloadName: string): Promise<StopReply>;
}

export async function startTestNode(options: TestNodeOptions = {}): Promise<TestNode> {
  await using stack = new AsyncDisposableStack();
  const nats = options.nats ?? stack.use(await startNats());
  const directory = await mkdtemp(join(tmpdir(), "nex-test-node-"));
  stack.defer(async () => rm(directory, { recursive: true, force: true }));
  const pidFile = join(directory, "node.pid");
  const logs: LogEntry[] = [];
  const node = stack.use(
    await startNode({
      configuration: await loadConfiguration(undefined, {
        no_sandbox: true,
        pid_filepath: pidFile,
        ...options.configuration,
      }),
      connection: { servers: nats.url },
      environment: {},
      findNatsServer: testNatsServer,
      logger: createLogger((entry) => logs.push(entry)),
      version: "0.2.7",
      ...(options.driver === undefined ? {} : { driver: options.driver }),
      ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
      ...(options.instanceIdleMs === undefined ? {} : { instanceIdleMs: options.instanceIdleMs }),
    }),
  );
  const connection = await nats.connect();
  const client = createControlClient({
    connection,
    timeoutMs: 20_000,
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
  });
  const issuer = createSigningKey("account");
  const publisher = createSealingKey();
  const upload = async (name: string, artifact: string | Uint8Array): Promise<string> => {
    const store = await new Objm(connection).create("NEXCLIFILES");
    await store.putBlob(
      { name },
      typeof artifact === "string" ? new TextEncoder().encode(artifact) : artifact,
    );
    return `nats://NEXCLIFILES/${name}`;
  };
  const resources = stack.move();
  return {
    nats,
    node,
    connection,
    client,
    issuer,
    publisher,
    pidFile,
    logs,
    upload,
    deploy: async ({ name, artifact, ...order }) =>
      client.deploy({
        workloadType: "native",
        issuer,
        publisher,
        hash: createHash("sha256").update(artifact).digest("hex"),
        ...order,
        nodeId: node.nodeId,
        workloadName: name,
        location: await upload(name, artifact),
      }),
    stop: async (workloadId, workloadName) =>
      client.stop({ nodeId: node.nodeId, workloadId, workloadName, issuer }),
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}
