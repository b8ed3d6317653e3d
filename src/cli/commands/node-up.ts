import { existsSync } from "node:fs";
import { NexError } from "../../lib/errors.ts";
import type { ConnectionSettings } from "../../nats/connection-settings.ts";
import type { ConfigurationOverrides, NodeConfiguration } from "../../node/configuration.ts";
import type { NatsServer } from "../../nats/server.ts";
import { usageError } from "../arguments/usage-error.ts";
import { defineCommand } from "../command.ts";
import { connectionSettings, openConnection } from "../connection.ts";
import type { ConnectionContext } from "../connection.ts";
import { DEFAULT_CONFIGURATION } from "../default-configuration.ts";
import { natsServerProgram, startEmbeddedNats } from "../embedded-nats.ts";

/** `nex node up`: runs a node until a signal. */
export const nodeUp = defineCommand({
  description:
    "Runs a node until Ctrl-C. It connects to the NATS server of the connection flags, or brings its own with --embedded-nats. Log lines go to stderr.",
  logsToNats: true,
  flags: {
    config: {
      kind: "file",
      help: `Configuration of the node (default ${DEFAULT_CONFIGURATION}, if it exists)`,
    },
    "no-sandbox": {
      kind: "boolean",
      help: "Run workloads as child processes instead of in virtual machines",
    },
    "embedded-nats": {
      kind: "boolean",
      help: "Start a NATS server with JetStream on 127.0.0.1 that ends with the node",
    },
    "nats-port": {
      kind: "integer",
      default: 4222,
      min: -1,
      max: 65_535,
      placeholder: "PORT",
      help: "Port of the embedded server; -1 for a free one",
    },
    "nats-store": {
      kind: "string",
      placeholder: "DIR",
      help: "Where the embedded server keeps its data; by default it goes with the server",
    },
    "node-seed": {
      kind: "string",
      placeholder: "FILE",
      help: "Keeps the node's key, and with it its id, in this file; it is made on first use",
    },
    "xkey-seed": {
      kind: "string",
      placeholder: "FILE",
      help: "Keeps the xkey that environments are sealed for in this file; it is made on first use",
    },
    nexus: { kind: "string", default: "nexus", help: "Name of the cluster this node belongs to" },
    metrics: { kind: "boolean", help: "Export metrics (accepted, not there yet)" },
    metrics_port: {
      kind: "integer",
      default: 8085,
      min: 1,
      max: 65_535,
      placeholder: "PORT",
      help: "Port of the metrics",
    },
    otel_metrics_exporter: {
      kind: "string",
      default: "file",
      choices: ["file", "prometheus"],
      help: "Where metrics go",
    },
    traces: { kind: "boolean", help: "Export traces (accepted, not there yet)" },
    otel_traces_exporter: {
      kind: "string",
      default: "file",
      choices: ["file", "grpc", "http"],
      help: "Where traces go",
    },
  },
  examples: ["node up --embedded-nats --no-sandbox", "node up --config=examples/nodeconfigs/simple.json"],
  run: async (context) => {
    const { flags, sources, environment, logger, signal, build } = context;
    checkServerFlags(flags, sources);
    const { checkHost } = await import("../../node/check-host.ts");
    const path = flags.config ?? (existsSync(DEFAULT_CONFIGURATION) ? DEFAULT_CONFIGURATION : undefined);
    const configuration = await loadNodeConfiguration(path, overrides(flags, sources));
    await checkHost(configuration, environment["PATH"] ?? "");
    const hasOwnServer = flags["embedded-nats"] || configuration.public_nats_server !== undefined;
    if (!hasOwnServer) await checkReachable(context);
    if (path !== undefined) logger.info("Loaded node configuration", { config_path: path });
    const { otel_metrics: metrics, otel_traces: traces } = configuration;
    if (metrics || traces) logger.warn("This version exports no telemetry yet", { metrics, traces });

    if (flags["embedded-nats"] && !configuration.no_sandbox) {
      logger.warn(
        "Workloads in virtual machines cannot reach the embedded NATS server: it listens on 127.0.0.1",
        {
          instead: "public_nats_server, as in examples/nodeconfigs/qemu.json",
        },
      );
    }

    await using stack = new AsyncDisposableStack();
    const server = flags["embedded-nats"]
      ? stack.use(
          await startEmbeddedNats({
            port: flags["nats-port"],
            storeDirectory: flags["nats-store"],
            environment,
            logger,
            signal,
          }),
        )
      : undefined;
    const { startNode } = await import("../../node/start-node.ts");
    const node = stack.use(
      await startNode({
        configuration,
        connection: server === undefined ? connectionSettings(context) : embeddedConnection(context, server),
        usePublicServer: server === undefined && !namesServer(context),
        findNatsServer: async () => natsServerProgram({ environment, logger, signal }),
        environment,
        logger,
        version: build.version,
        nexus: flags.nexus,
        ...(context.systemLog === undefined ? {} : { systemLog: context.systemLog }),
        signal,
      }),
    );
    const end = await Promise.race([node.closed, serverEnded(server), aborted(signal)]);
    if (end.kind === "aborted") return;
    if (end.kind === "connection-lost") throw lost(`Lost the node NATS connection: ${end.message}`);
    if (end.kind === "public-server-ended") throw lost(`The public NATS server ended: ${end.message}`);
    if (end.kind === "agents-unreachable") throw lost(`The node cannot reach its agents: ${end.message}`);
    if (end.kind === "server-ended") throw lost("The embedded NATS server ended");
  },
});

type Sources = ConnectionContext["sources"];

function checkServerFlags(
  flags: { readonly "embedded-nats": boolean; readonly "nats-store": string | undefined },
  sources: Sources,
): void {
  const given = (name: string): boolean => sources[name] === "flag";
  if (!flags["embedded-nats"]) {
    const without = ["nats-port", "nats-store"].find(given);
    if (without !== undefined) throw usageError(`flag '--${without}' needs --embedded-nats`);
    return;
  }
  const other = ["server", "context", "creds", "nkey", "user"].find(given);
  if (other !== undefined) throw usageError(`flags '--embedded-nats' and '--${other}' exclude each other`);
}

/** Whether flags or the environment say where to connect to. */
function namesServer({ sources }: ConnectionContext): boolean {
  return ["server", "context"].some((name) => sources[name] === "flag" || sources[name] === "environment");
}

/** Nothing is started when there is no NATS server to connect to. */
async function checkReachable(context: ConnectionContext): Promise<void> {
  await using opened = await openConnection(context);
  await opened.connection.flush();
}

async function loadNodeConfiguration(
  path: string | undefined,
  given: ConfigurationOverrides,
): Promise<NodeConfiguration> {
  const { loadConfiguration } = await import("../../node/configuration.ts");
  try {
    return await loadConfiguration(path, given);
  } catch (cause) {
    if (path !== undefined || !(cause instanceof NexError) || cause.code !== "CONFIGURATION_INVALID")
      throw cause;
    throw new NexError({
      code: "CONFIGURATION_INVALID",
      message: `Cannot start the node: there is no ${DEFAULT_CONFIGURATION}, and the defaults do not do (${cause.message})`,
      hint: 'Give a configuration with --config, or run workloads without a sandbox: "nex node up --no-sandbox"',
      cause,
    });
  }
}

/** Flags go before the file only when they are given. */
function overrides(
  flags: {
    readonly "no-sandbox": boolean;
    readonly "node-seed": string | undefined;
    readonly "xkey-seed": string | undefined;
    readonly metrics: boolean;
    readonly metrics_port: number;
    readonly otel_metrics_exporter: string;
    readonly traces: boolean;
    readonly otel_traces_exporter: string;
  },
  sources: Sources,
): ConfigurationOverrides {
  const given = (
    name: string,
    key: string,
    value: string | number | boolean | undefined,
  ): [string, typeof value][] => (sources[name] === "default" || value === undefined ? [] : [[key, value]]);
  return Object.fromEntries([
    ...given("no-sandbox", "no_sandbox", flags["no-sandbox"]),
    ...given("node-seed", "node_seed_file", flags["node-seed"]),
    ...given("xkey-seed", "xkey_seed_file", flags["xkey-seed"]),
    ...given("metrics", "otel_metrics", flags.metrics),
    ...given("metrics_port", "otel_metrics_port", flags.metrics_port),
    ...given("otel_metrics_exporter", "otel_metrics_exporter", flags.otel_metrics_exporter),
    ...given("traces", "otel_traces", flags.traces),
    ...given("otel_traces_exporter", "otel_traces_exporter", flags.otel_traces_exporter),
  ]);
}

function embeddedConnection(context: ConnectionContext, { url }: NatsServer): ConnectionSettings {
  const { name } = connectionSettings(context);
  return { servers: url, ...(name === undefined ? {} : { name }) };
}

async function serverEnded(server: NatsServer | undefined): Promise<{ readonly kind: "server-ended" }> {
  if (server === undefined) return new Promise(() => {});
  await server.exit;
  return { kind: "server-ended" };
}

async function aborted(signal: AbortSignal): Promise<{ readonly kind: "aborted" }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly kind: "aborted" }>();
  const abort = (): void => resolve({ kind: "aborted" });
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return promise;
}

function lost(message: string): NexError {
  return new NexError({ code: "NATS_CONNECTION_LOST", message });
}
