/**
 * The composition root of the node: makes everything, in the order of protocol.md 14.1, and takes it down in the
 * reverse order (14.4).
 *
 * N1 when `startNode` resolves, deploys work: one agent is warm and the control subjects are subscribed
 * N2 when it rejects, nothing is left behind
 * N3 the node ends for one recorded reason (`NodeEnd`), within `shutdown_timeout_ms` whatever hangs
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { NexError } from "../lib/errors.ts";
import { createWorkloadId } from "../lib/ids.ts";
import { limitLogger } from "../lib/limited-logger.ts";
import type { Logger } from "../lib/logger.ts";
import { connectToNats } from "../nats/connect.ts";
import type { ConnectionSettings } from "../nats/connection-settings.ts";
import type { NatsServer } from "../nats/server.ts";
import type { SandboxDriver } from "../sandbox/sandbox.ts";
import { createAgentStarter } from "./agent-starter.ts";
import { createAnnouncement } from "./announcement.ts";
import { openArtifact } from "./artifact-source.ts";
import type { OpenedArtifact } from "./artifact-source.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { startAutostartWorkloads } from "./autostart.ts";
import { createControlHandlers } from "./control-handlers.ts";
import { startControlServer } from "./control-server.ts";
import { drainConnection } from "./drain.ts";
import { EssentialWorkloads } from "./essential-workloads.ts";
import { watchConnection } from "./connection-watch.ts";
import { createEventPublisher } from "./event-publisher.ts";
import type { EventPublisher } from "./event-publisher.ts";
import { checkJetStream } from "./jetstream-check.ts";
import { createLameDuck } from "./lame-duck.ts";
import { createNodeHandle } from "./node-handle.ts";
import type { NodeEnd, NodeHandle } from "./node-handle.ts";
import { nodeTags } from "./node-identity.ts";
import { loadNodeKeys } from "./node-keys.ts";
import type { NodeKeys } from "./node-keys.ts";
import { nodeService } from "./node-service.ts";
import { NODE_FULL, NodeState } from "./node-state.ts";
import { claimPidFile } from "./pid-file.ts";
import { publicServerSpec, startPublicNatsServer } from "./public-nats-server.ts";
import type { FindNatsServer } from "./public-nats-server.ts";
import { createOutbox } from "./outbox.ts";
import type { Outbox } from "./outbox.ts";
import { openAgentHost } from "./sandbox-choice.ts";
import type { AgentHost } from "./agent-host.ts";
import { serveDiscovery } from "./service-discovery.ts";
import type { SystemLog } from "./system-log.ts";
import { checkUnique } from "./unique-node.ts";
import { connectWorkload } from "./workload-connection.ts";
import { WorkloadManager } from "./workload-manager.ts";
import { createWorkloadReporter } from "./workload-reporter.ts";
import type { ArtifactLocation } from "./workload.ts";

export type { NodeHandle } from "./node-handle.ts";
/** Whoever sends nonsense cannot flood the node's log. */
const REQUEST_LOG_LIMIT = { lines: 100, perMs: 10_000 };

/** Everything a node is started from. */
export interface NodeOptions {
  readonly configuration: NodeConfiguration;
  /** Settings of the control connection. */
  readonly connection: ConnectionSettings;
  /** Connect to the configured public NATS server instead of the servers of `connection`. Default false. */
  readonly usePublicServer?: boolean;
  /** The process environment, for NATS contexts; never handed to agents or workloads. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Version to report, e.g. `0.2.7`. */
  readonly version: string;
  /** Name of the cluster. Default `nexus`. */
  readonly nexus?: string;
  /** Needed for a public NATS server and for virtual machines. */
  readonly findNatsServer?: FindNatsServer;
  /** Starts the sandboxes; disposed with the node. Default: the one that the configuration asks for. */
  readonly driver?: SandboxDriver;
  /** Gets the node's connection, to publish what `logger` writes. */
  readonly systemLog?: SystemLog;
  /** Default 30000. */
  readonly heartbeatMs?: number;
  /** How long a further instance of a function may have nothing to do. Default 30000. */
  readonly instanceIdleMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Starts a node (N1, N2).
 *
 * @throws {NexError} `NODE_RUNNING`, `SANDBOX_UNAVAILABLE`, `ABORTED`, or what connecting and starting an agent fail with
 */
export async function startNode(given: NodeOptions): Promise<NodeHandle> {
  const { configuration, logger, signal } = given;
  const { public_nats_server: publicSettings } = configuration;
  if (publicSettings !== undefined) publicServerSpec(publicSettings);
  const keys = await loadNodeKeys(configuration);
  const requested = Promise.withResolvers<NodeEnd>();
  await using stack = new AsyncDisposableStack();
  const pidFile = stack.use(await claimPidFile(configuration.pid_filepath ?? join(tmpdir(), "nex.pid")));
  const host = stack.use(await openAgentHost(given));
  void host.ended.then((message) => requested.resolve({ kind: "agents-unreachable", message }));
  const publicServer = stack.use(await openPublicServer(given, requested.resolve));
  const options = givenOrPublic(given, publicServer);
  const connection = await connectControl(options);
  stack.defer(async () => drainConnection(connection));
  const node = createState(options, keys, host);
  const nodeId = node.identity.key.publicKey;
  if (configuration.node_seed_file !== undefined) await checkUnique(connection, nodeId);

  const outbox = stack.use(createOutbox(connection));
  given.systemLog?.attach(outbox, nodeId);
  const events = createEventPublisher(outbox, nodeId);
  const announcement = stack.use(
    createAnnouncement({ node, events, logger, intervalMs: options.heartbeatMs }),
  );
  const openSource = async (location: ArtifactLocation): Promise<OpenedArtifact> =>
    openArtifact(connection, location);
  const essential = new EssentialWorkloads({
    logger,
    deploy: async (workload) => {
      if (node.isFull()) throw new NexError({ code: "LIMIT_REACHED", message: NODE_FULL });
      return workloads.deploy(workload, async () => openSource(workload.artifact));
    },
    end: async (id) => {
      const machine = node.machines.get(id);
      if (machine !== undefined) await workloads.end(machine, { kind: "stop-requested" });
    },
  });
  const workloads = createManager({ options, node, host, outbox, events, essential });
  stack.defer(async () => workloads.close());
  throwIfAborted(signal);
  logger.info("Workload manager starting", { sandbox: host.driver.name });
  try {
    await workloads.open(signal);
  } catch (error) {
    throwIfAborted(signal);
    throw withAdvice(error, host.advice);
  }

  const lameDuck = createLameDuck({
    node,
    events,
    logger,
    onEntered: () => essential.close(),
    onIdle: () => requested.resolve({ kind: "idle" }),
  });
  stack.use(lameDuck);
  const requestLogger = limitLogger(logger, REQUEST_LOG_LIMIT);
  const server = await startControlServer({
    connection,
    nodeId,
    handlers: createControlHandlers({
      node,
      workloads,
      essential,
      lameDuck,
      openArtifact: openSource,
      logger: requestLogger,
    }),
    logger: requestLogger,
  });
  stack.use(serveDiscovery(connection, nodeService(node.identity, server.counts)));
  stack.defer(async () => server.close());
  const closing = new AbortController();
  stack.defer(() => {
    closing.abort();
    essential.close();
    workloads.cancelDeploys();
  });
  throwIfAborted(signal);
  announcement.start();
  void startAutostartWorkloads({
    node,
    logger,
    signal: closing.signal,
    deploy: async (workload, poolWaitMs) =>
      workloads.deploy(workload, async () => openSource(workload.artifact), {
        poolWaitMs: poolWaitMs + (host.driver.bootTimeMs ?? 0),
      }),
  });
  return createNodeHandle({
    node,
    connection,
    logger,
    resources: stack.move(),
    force: [
      async () => workloads.kill(),
      async () => connection.close(),
      async () => publicServer?.stop({ graceMs: 0 }),
      async () => pidFile[Symbol.asyncDispose](),
    ],
    ended: requested.promise,
  });
}

/** The public NATS server, if one is configured; the node ends when it does. */
async function openPublicServer(
  { configuration: { public_nats_server: settings }, findNatsServer, logger, signal }: NodeOptions,
  requestEnd: (end: NodeEnd) => void,
): Promise<NatsServer | undefined> {
  if (settings === undefined) return undefined;
  const server = await startPublicNatsServer({ settings, findNatsServer, logger, signal });
  void server.exit.then((exit) => {
    const message = exit.kind === "exited" ? `exited with code ${exit.code}` : exit.kind;
    requestEnd({ kind: "public-server-ended", message });
  });
  return server;
}

function givenOrPublic(options: NodeOptions, publicServer: NatsServer | undefined): NodeOptions {
  if (publicServer === undefined || options.usePublicServer !== true) return options;
  return { ...options, connection: { ...options.connection, servers: publicServer.url } };
}

async function connectControl({ connection, environment, logger }: NodeOptions): Promise<NatsConnection> {
  const control = await connectToNats(connection, { environment, forever: true });
  logger.info("Established node NATS connection", { servers: control.getServer() });
  watchConnection(control, { name: "node", logger });
  void checkJetStream(control, logger);
  return control;
}

/** One per function: its state is news only where it has a server of its own. */
async function connectForWorkload(
  { connection: control, environment, logger }: NodeOptions,
  settings: ConnectionSettings,
): Promise<NatsConnection> {
  const connection = await connectToNats(settings, { environment, forever: true });
  const isShared = settings.servers === control.servers;
  watchConnection(connection, { name: "workload", logger, ...(isShared ? { level: "debug" } : {}) });
  return connection;
}

function createState(
  { configuration, version, nexus }: NodeOptions,
  keys: NodeKeys,
  { driver, isolation }: AgentHost,
): NodeState {
  return new NodeState(
    {
      ...keys,
      version,
      nexus: nexus ?? "nexus",
      startedAt: new Date(),
      isolation,
      tags: nodeTags(configuration.tags, driver.isolation === "virtual-machine"),
    },
    configuration,
  );
}

function createManager(parts: {
  readonly options: NodeOptions;
  readonly node: NodeState;
  readonly host: AgentHost;
  readonly outbox: Outbox;
  readonly events: EventPublisher;
  readonly essential: EssentialWorkloads;
}): WorkloadManager {
  const { options, node, host, outbox, events, essential } = parts;
  const { configuration, logger } = options;
  return new WorkloadManager({
    node,
    logger,
    createId: () => createWorkloadId(),
    startAgent: createAgentStarter({ host, configuration, logger }),
    sandboxed: host.driver.isolation === "virtual-machine",
    connectWorkload: async (workload) =>
      connectWorkload(
        {
          configuration,
          control: options.connection,
          connect: async (settings) => connectForWorkload(options, settings),
        },
        workload,
      ),
    reporter: createWorkloadReporter({ outbox, nodeId: node.identity.key.publicKey, events }),
    onEnded: (ended) => essential.ended(ended),
    instanceIdleMs: options.instanceIdleMs,
    bootTimeMs: host.driver.bootTimeMs,
  });
}

/** The error of a first agent that did not start, with the next step. */
function withAdvice(error: unknown, hint: string | undefined): unknown {
  if (!(error instanceof NexError) || hint === undefined) return error;
  const { code, message } = error;
  return new NexError({ code, message, hint: error.hint ?? hint, cause: error });
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
