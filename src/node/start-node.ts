/**
 * The composition root of the node: makes everything, in the order of protocol.md 14.1, and takes it down in the
 * reverse order (14.4).
 *
 * N1 when `startNode` resolves, deploys work: one agent is warm and the control subjects are subscribed
 * N2 when it rejects, nothing is left behind
 * N3 the node ends for one recorded reason: `stop`, or a control connection that is closed for good
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { createSealingKey } from "../control-api/sealing-key.ts";
import { createSigningKey } from "../control-api/keys.ts";
import { encodeLameDuckReply } from "../control-api/lame-duck.ts";
import { NexError, errorText } from "../lib/errors.ts";
import { createWorkloadId } from "../lib/ids.ts";
import type { Logger } from "../lib/logger.ts";
import { connectToNats } from "../nats/connect.ts";
import type { ConnectionSettings } from "../nats/connection-settings.ts";
import type { SandboxDriver } from "../sandbox/sandbox.ts";
import { createAgentStarter } from "./agent-starter.ts";
import { createAnnouncement } from "./announcement.ts";
import { openArtifact } from "./artifact-source.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { startControlServer } from "./control-server.ts";
import type { ControlHandlers } from "./control-server.ts";
import { answerDeploy } from "./deploy-handler.ts";
import { answerAuction, answerInfo, answerPing, answerWorkloadPing } from "./discovery.ts";
import { createEventPublisher } from "./event-publisher.ts";
import type { EventPublisher } from "./event-publisher.ts";
import { nodeTags } from "./node-identity.ts";
import { NodeState } from "./node-state.ts";
import { claimPidFile } from "./pid-file.ts";
import { createDriver } from "./sandbox-choice.ts";
import { answerStop } from "./stop-handler.ts";
import { connectWorkload } from "./workload-connection.ts";
import { WorkloadManager } from "./workload-manager.ts";
import { createWorkloadReporter } from "./workload-reporter.ts";

/** Everything a node is started from. */
export interface NodeOptions {
  readonly configuration: NodeConfiguration;
  /** Settings of the control connection. */
  readonly connection: ConnectionSettings;
  /** The process environment, for NATS contexts; never handed to agents or workloads. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Version to report, e.g. `0.2.7`. */
  readonly version: string;
  /** Name of the cluster. Default `nexus`. */
  readonly nexus?: string;
  readonly signal?: AbortSignal;
}

/** Why a node ended. */
export type NodeEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "connection-lost"; readonly message: string };

/** A running node. */
export interface NodeHandle extends AsyncDisposable {
  readonly nodeId: string;
  readonly publicXkey: string;
  readonly closed: Promise<NodeEnd>;
  /** Ends all workloads and the node. Idempotent. */
  stop(): Promise<NodeEnd>;
}

/**
 * Starts a node (N1, N2).
 *
 * @throws {NexError} `NODE_RUNNING`, `SANDBOX_UNAVAILABLE`, `ABORTED`, or what connecting and starting an agent fail with
 */
export async function startNode(options: NodeOptions): Promise<NodeHandle> {
  const { configuration, logger } = options;
  await using stack = new AsyncDisposableStack();
  stack.use(await claimPidFile(configuration.pid_filepath ?? join(tmpdir(), "nex.pid")));

  const driver = stack.use(await createDriver(configuration, logger));
  const connection = await connectControl(options);
  stack.defer(async () => drainAndClose(connection));

  const node = createState(options, driver);
  const events = createEventPublisher(connection, node.identity.key.publicKey);
  const announcement = createAnnouncement(node, events, logger);
  stack.use(announcement);
  const workloads = createManager({ options, node, driver, connection, events });
  stack.defer(async () => workloads.close());
  options.signal?.throwIfAborted();
  logger.info("Workload manager starting", { sandbox: driver.name });
  await workloads.open();

  const server = await startControlServer({
    connection,
    nodeId: node.identity.key.publicKey,
    handlers: createHandlers(options, node, workloads, connection, events),
    logger,
  });
  stack.defer(async () => server.close());
  stack.defer(() => workloads.cancelDeploys());
  throwIfAborted(options.signal);
  announcement.start();
  return createHandle({ node, connection, logger, resources: stack.move() });
}

async function connectControl({ connection, environment, logger }: NodeOptions): Promise<NatsConnection> {
  const control = await connectToNats(connection, { environment, forever: true });
  logger.info("Established node NATS connection", { servers: control.getServer() });
  void logStatus(control, logger);
  return control;
}

async function logStatus(connection: NatsConnection, logger: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === "disconnect") logger.warn("Lost the node NATS connection", { server: status.server });
    else if (status.type === "reconnect")
      logger.info("Node NATS connection is back", { server: status.server });
    else if (status.type === "error") logger.error("NATS error", { error: errorText(status.error) });
  }
}

function createState({ configuration, version, nexus }: NodeOptions, driver: SandboxDriver): NodeState {
  return new NodeState(
    {
      key: createSigningKey("server"),
      xkey: createSealingKey(),
      version,
      nexus: nexus ?? "nexus",
      startedAt: new Date(),
      tags: nodeTags(configuration.tags, driver.isolation === "virtual-machine"),
    },
    configuration,
  );
}

function createManager(parts: {
  readonly options: NodeOptions;
  readonly node: NodeState;
  readonly driver: SandboxDriver;
  readonly connection: NatsConnection;
  readonly events: EventPublisher;
}): WorkloadManager {
  const { options, node, driver, connection, events } = parts;
  const { configuration, environment, logger } = options;
  return new WorkloadManager({
    node,
    logger,
    createId: () => createWorkloadId(),
    startAgent: createAgentStarter({ driver, configuration, logger }),
    connectWorkload: async (workload) =>
      connectWorkload(
        {
          configuration,
          control: options.connection,
          connect: async (settings) => connectToNats(settings, { environment, forever: true }),
        },
        workload,
      ),
    reporter: createWorkloadReporter({ connection, nodeId: node.identity.key.publicKey, events }),
  });
}

function createHandlers(
  { logger }: NodeOptions,
  node: NodeState,
  workloads: WorkloadManager,
  connection: NatsConnection,
  events: EventPublisher,
): ControlHandlers {
  const nodeId = node.identity.key.publicKey;
  return {
    ping: () => answerPing(node),
    auction: (body) => answerAuction(node, body),
    workloadPing: (namespace, idOrName) => answerWorkloadPing(node, namespace, idOrName),
    info: async (namespace) => answerInfo(node, namespace),
    deploy: async (namespace, body) =>
      answerDeploy(
        { node, workloads, logger, openArtifact: async (location) => openArtifact(connection, location) },
        namespace,
        body,
      ),
    stop: async (namespace, body) => answerStop({ node, workloads, logger }, namespace, body),
    lameDuck: () => {
      if (node.enterLameDuck()) {
        logger.info("Entered lame duck mode");
        events.node("node_entered_lameduck", { version: node.identity.version, id: nodeId });
      }
      return encodeLameDuckReply({ node_id: nodeId, success: true });
    },
  };
}

function createHandle(parts: {
  readonly node: NodeState;
  readonly connection: NatsConnection;
  readonly logger: Logger;
  readonly resources: AsyncDisposableStack;
}): NodeHandle {
  const { node, connection, logger, resources } = parts;
  const { promise: closed, resolve } = Promise.withResolvers<NodeEnd>();
  let ending: Promise<NodeEnd> | undefined;
  const endOnce = async (end: NodeEnd): Promise<NodeEnd> => {
    logger.info("Workload manager stopping");
    await resources.disposeAsync();
    logger.info("exiting node", { reason: end.kind });
    resolve(end);
    return end;
  };
  const end = async (reason: NodeEnd): Promise<NodeEnd> => (ending ??= endOnce(reason));
  void connection.closed().then(async (error) => {
    const message = error === undefined ? "the control connection was closed" : errorText(error);
    await end({ kind: "connection-lost", message });
  });
  return {
    nodeId: node.identity.key.publicKey,
    publicXkey: node.identity.xkey.publicKey,
    closed,
    stop: async () => end({ kind: "stopped" }),
    [Symbol.asyncDispose]: async () => {
      await end({ kind: "stopped" });
    },
  };
}

async function drainAndClose(connection: NatsConnection): Promise<void> {
  if (connection.isClosed()) return;
  await connection.drain().catch(async () => connection.close());
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new NexError({
      code: "ABORTED",
      message: "Cannot start the node: interrupted",
      cause: signal.reason,
    });
  }
}
