/**
 * The node's private NATS server, over which it talks to agents in virtual machines.
 *
 * A1 an agent that was added can connect, and its link is ready for the handshake, before `addAgent` resolves
 * A2 an agent has no JetStream: a consumer's deliver subject would let it write to another agent's subjects
 * A3 an agent publishes and subscribes only its own subjects (`agent-permissions.ts`); what it asks is answered only in
 *    its own inbox (N1 in `nats-link.ts`)
 * A4 adding and removing agents costs the others nothing: no message is lost, no connection ends
 * A5 the server listens on the given address only and dies with us
 */
import type { NatsConnection } from "@nats-io/transport-node";
import type { Link } from "../agent-api/link.ts";
import { createNatsLink } from "../agent-api/nats-link.ts";
import { createSigningKey } from "../control-api/keys.ts";
import { NexError, errorText } from "../lib/errors.ts";
import { limitLogger } from "../lib/limited-logger.ts";
import { createLogger } from "../lib/logger.ts";
import type { Logger } from "../lib/logger.ts";
import type { ProcessExit } from "../lib/managed-process.ts";
import { startNatsServer } from "../nats/server.ts";
import { compareVersions, natsServerVersion } from "../nats/server-version.ts";
import { CALLOUT_VERSION, calloutCredentials } from "./callout-credentials.ts";
import { connectToServer, flush } from "./connect-to-server.ts";
import type { Credentials } from "./credentials.ts";
import { reloadedCredentials } from "./reloaded-credentials.ts";

/** What agents can cause cannot flood the node's log. */
const LOG_LIMIT = { lines: 20, perMs: 10_000 };

/**
 * How the server learns who may connect: it is told by reloads of its configuration, which every server can, or asks us at
 * each connection.
 */
export type InternalAuthentication = "reload" | "callout";

export interface InternalNatsOptions {
  /** Path of a nats-server, from `findNatsServer`. */
  readonly binary: string;
  /** Address to listen on, where agents reach the host: the gateway of the virtual machines' network. */
  readonly host: string;
  /** Default -1: a free one. */
  readonly port?: number;
  /** Default: `callout` where the server can (2.10 and newer), else `reload`. */
  readonly authentication?: InternalAuthentication;
  readonly logger: Logger;
  /** Aborts the start; has no meaning afterwards. */
  readonly signal?: AbortSignal | undefined;
}

export interface InternalNats extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `nats://host:port` */
  readonly clientUrl: string;
  readonly authentication: InternalAuthentication;
  /** Process id of the server. */
  readonly pid: number;
  /** Why the server ended; never rejects. All links are then lost. */
  readonly exit: Promise<ProcessExit>;
  /**
   * Makes credentials and link of an agent (A1). Disposing the result ends the agent's connection.
   *
   * @param id - letters and digits, not in use
   * @throws {NexError} `NATS_SERVER_RELOAD_FAILED`, `NATS_CONNECTION_LOST`, `INTERNAL`
   */
  addAgent(id: string): Promise<InternalAgent>;
}

export interface InternalAgent extends AsyncDisposable {
  /** `SU…`, for the agent's metadata. Secret. */
  readonly nkeySeed: string;
  /** The node's end. Closing it leaves the credentials in place. */
  readonly link: Link;
}

/**
 * Starts the server and connects to it (A5).
 *
 * @throws {NexError} as `startNatsServer`, and `NATS_CONNECT_FAILED`
 */
export async function startInternalNats(options: InternalNatsOptions): Promise<InternalNats> {
  const { binary, host, port = -1, logger, signal } = options;
  await using stack = new AsyncDisposableStack();
  const version = await natsServerVersion(binary, signal);
  const authentication = options.authentication ?? bestAuthentication(version);
  const key = createSigningKey("user");
  const limited = limitLogger(logger, LOG_LIMIT);
  const method =
    authentication === "callout"
      ? calloutCredentials(key.publicKey, limited)
      : reloadedCredentials(key.publicKey);
  const starting = startNatsServer({
    binary,
    version,
    host,
    port,
    serverName: "nex-internal",
    configText: method.configText,
    logger: serverLogger(limited),
    signal,
  });
  const server = stack.use(await starting.catch((error: unknown) => Promise.reject(advised(error))));
  const connection = await connectToServer(server.url, { key, name: "nex-node", inboxPrefix: "_HIN" });
  stack.defer(async () => connection.close());
  let hasEnded = false;
  void server.exit.then(async () => {
    hasEnded = true;
    // Else the client would look for the server for ever.
    await connection.close();
  });
  const credentials = stack.use(await method.open(server));
  const resources = stack.move();
  const used = new Set<string>();
  return {
    host,
    port: server.port,
    clientUrl: server.url,
    authentication,
    pid: server.pid,
    exit: server.exit,
    addAgent: async (id) => {
      if (hasEnded)
        throw new NexError({
          code: "NATS_CONNECTION_LOST",
          message: `Cannot add agent "${id}": the internal nats-server has ended`,
        });
      if (used.has(id))
        throw new NexError({ code: "INTERNAL", message: `Cannot add agent "${id}": it was added before` });
      used.add(id);
      return addAgent({
        id,
        connection,
        credentials,
        logger: limitLogger(logger.child({ agent_id: id }), LOG_LIMIT),
        onRemoved: () => used.delete(id),
      });
    },
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

async function addAgent(parts: {
  readonly id: string;
  readonly connection: NatsConnection;
  readonly credentials: Credentials;
  readonly logger: Logger;
  readonly onRemoved: () => void;
}): Promise<InternalAgent> {
  const { id, connection, credentials, logger, onRemoved } = parts;
  await using stack = new AsyncDisposableStack();
  stack.defer(onRemoved);
  // First of all: it refuses ids that would mean something in a subject.
  const link = createNatsLink(connection, { end: "node", id, logger });
  stack.defer(async () => {
    try {
      await credentials.remove(id);
    } catch (error) {
      if (!connection.isClosed())
        logger.warn("Cannot revoke an agent's credentials", { error: errorText(error) });
    }
  });
  stack.use(link);
  const key = createSigningKey("user");
  await Promise.all([credentials.add(id, key.publicKey), flush(connection)]);
  const resources = stack.move();
  return {
    nkeySeed: key.seedText(),
    link,
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

function bestAuthentication(version: string): InternalAuthentication {
  return compareVersions(version, CALLOUT_VERSION) >= 0 ? "callout" : "reload";
}

/** The server's own advice is for those that users connect to. */
function advised(error: unknown): unknown {
  if (!(error instanceof NexError) || error.code !== "NATS_PORT_TAKEN") return error;
  return new NexError({
    code: error.code,
    message: error.message.replace("nats-server", "the internal nats-server"),
    hint: "Stop that program, or give another internal_node_port in the configuration, 0 for a free one",
    cause: error,
  });
}

/** Our large payloads are meant: the advice against them would be the first line of every node's log. */
function serverLogger(limited: Logger): Logger {
  return createLogger(({ level, message, fields }) => {
    const { line } = fields;
    const isAdvice = typeof line === "string" && line.startsWith("Maximum payloads over");
    limited[isAdvice ? "debug" : level](message, fields);
  });
}
