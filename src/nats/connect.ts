/**
 * Connects to NATS from settings.
 *
 * C1 the first connect tries every server once and fails fast; reconnecting for ever is for daemons (`forever`)
 * C2 what can be checked without a server (URLs, context, files) is checked before any connection is made
 * C3 every failure is a `NexError` without secrets; no socket is left behind
 */
import { connect, createInbox, wsconnect } from "@nats-io/transport-node";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { NexError } from "../lib/errors.ts";
import { authenticatorOf } from "./authentication.ts";
import { collectSockets } from "./collect-sockets.ts";
import { connectError } from "./connect-error.ts";
import { planConnection } from "./connection-settings.ts";
import type { ConnectionPlan, ConnectionSettings } from "./connection-settings.ts";
import type { Environment } from "./context.ts";
import { throwIfAborted } from "../lib/run-tool.ts";
import type { ServerUrls } from "./server-urls.ts";
import { checkWebSocketPlan, tlsOptionsOf } from "./tls-options.ts";

/** What connecting needs besides the settings. */
export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where contexts are found: `XDG_CONFIG_HOME` and `HOME`. */
  readonly environment?: Environment;
  /** For daemons: reconnect without end, also after refused credentials, and notice a dead server within a minute. */
  readonly forever?: boolean;
}

/**
 * Connects to NATS (C1 to C3).
 *
 * @throws {NexError} `NATS_UNREACHABLE`, `NATS_AUTHORIZATION_FAILED`, `NATS_TLS_FAILED`, `NATS_CONNECT_TIMEOUT`,
 *   `NATS_CONNECT_FAILED`, `NATS_URL_INVALID`, `NATS_CREDENTIALS_INVALID`, `NATS_CONTEXT_UNKNOWN`, `NATS_CONTEXT_INVALID`,
 *   `USAGE`, `ABORTED`
 */
export async function connectToNats(
  settings: ConnectionSettings,
  { signal, environment, forever = false }: ConnectOptions = {},
): Promise<NatsConnection> {
  throwIfAborted(signal);
  const plan = await planConnection(settings, environment);
  claimTransport(plan.servers);
  const sockets = collectSockets();
  const options = await connectionOptions(plan, forever);
  const dial = plan.servers.transport === "websocket" ? wsconnect : connect;
  const connecting = sockets.run(() => dial(options));
  try {
    const connection = await abortable(connecting, signal);
    if (plan.inboxPrefix !== undefined) inboxPrefixes.set(connection, plan.inboxPrefix);
    return connection;
  } catch (error) {
    const { lastWasClosed } = sockets.destroy();
    connecting.then((late) => late.close()).catch(() => {});
    throw error instanceof NexError ? error : connectError(plan, error, lastWasClosed);
  } finally {
    sockets.release();
  }
}

/** A new subject that the connection may receive answers on. */
export function createInboxFor(connection: NatsConnection): string {
  return createInbox(inboxPrefixes.get(connection));
}

const inboxPrefixes = new WeakMap<NatsConnection, string>();

const DAEMON_OPTIONS = {
  maxReconnectAttempts: -1,
  ignoreAuthErrorAbort: true,
  reconnectTimeWait: 1000,
  reconnectJitter: 1000,
  reconnectJitterTLS: 1000,
  pingInterval: 20_000,
} as const satisfies ConnectionOptions;

async function connectionOptions(plan: ConnectionPlan, forever: boolean): Promise<ConnectionOptions> {
  if (plan.servers.transport === "websocket") checkWebSocketPlan(plan);
  const tls = plan.servers.transport === "websocket" ? undefined : await tlsOptionsOf(plan);
  const authenticator = await authenticatorOf(plan.authentication);
  return {
    servers: [...plan.servers.urls],
    name: plan.name,
    timeout: plan.timeoutMs,
    noAsyncTraces: true,
    ...(tls === undefined ? {} : { tls }),
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(plan.token === undefined ? {} : { token: plan.token }),
    ...(plan.inboxPrefix === undefined ? {} : { inboxPrefix: plan.inboxPrefix }),
    ...(forever ? DAEMON_OPTIONS : {}),
  };
}

/** The client library has one transport per process, also for reconnects: a second kind would break the first's. */
function claimTransport({ transport, urls }: ServerUrls): void {
  claimed ??= transport;
  if (claimed === transport) return;
  throw new NexError({
    code: "NATS_URL_INVALID",
    message: `Cannot use NATS server "${urls.join(",")}": one process cannot use both ws:// and nats:// servers`,
    hint: "Use the same kind of URL for all NATS connections of this process",
  });
}

let claimed: ServerUrls["transport"] | undefined;

async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    try {
      throwIfAborted(signal);
    } catch (error) {
      reject(error);
    }
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
