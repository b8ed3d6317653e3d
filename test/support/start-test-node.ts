import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { createLogger } from "../../src/lib/logger.ts";
import type { LogEntry } from "../../src/lib/logger.ts";
import { loadConfiguration } from "../../src/node/configuration.ts";
import type { ConfigurationOverrides } from "../../src/node/configuration.ts";
import { startNode } from "../../src/node/start-node.ts";
import type { NodeHandle } from "../../src/node/start-node.ts";
import type { SandboxDriver } from "../../src/sandbox/sandbox.ts";
import { createDeployer } from "./deployer.ts";
import type { Deployer } from "./deployer.ts";
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

/** A real node in this process, on a real server, with real agents. */
export interface TestNode extends AsyncDisposable, Deployer {
  readonly nats: TestNats;
  readonly node: NodeHandle;
  readonly connection: NatsConnection;
  /** Path of its pid file. */
  readonly pidFile: string;
  /** Every line the node has logged so far. */
  readonly logs: readonly LogEntry[];
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
  const deployer = createDeployer({ connection, nodeId: node.nodeId, namespace: options.namespace });
  const resources = stack.move();
  return {
    ...deployer,
    nats,
    node,
    connection,
    pidFile,
    logs,
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}
