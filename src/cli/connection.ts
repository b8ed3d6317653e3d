import type { NatsConnection } from "@nats-io/transport-node";
import { createControlClient } from "../control-api/index.ts";
import type { ControlClient } from "../control-api/index.ts";
import { planConnection } from "../nats/connection-settings.ts";
import type { ConnectionSettings, TlsSettings } from "../nats/connection-settings.ts";
import { connectToNats } from "../nats/connect.ts";
import type { GlobalFlagValues } from "./arguments/global-flags.ts";
import { endOnAbort } from "./end-on-abort.ts";
import type { CommandContext } from "./command.ts";

/** What of a command's context a connection is made from. */
export type ConnectionContext = Pick<
  CommandContext,
  "global" | "sources" | "environment" | "build" | "signal"
>;

/** Longest delay that a timer takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The connection settings that the global flags describe (protocol section 10.1). */
export function connectionSettings({
  global,
  sources,
  build,
}: Omit<ConnectionContext, "signal" | "environment">): ConnectionSettings {
  const tls = tlsSettings(global);
  const context = contextWins(sources) ? global.context : undefined;
  return {
    servers: global.server,
    ...present("user", global.user),
    ...present("password", global.password),
    ...present("credsFile", global.creds),
    ...present("nkeyFile", global.nkey),
    ...present("tls", tls),
    ...present("context", context),
    name: global["conn-name"] ?? connectionName(build.version),
  };
}

/** The JetStream domain of uploads and artifacts: the flag, or what the NATS context says. */
export async function jetStreamDomain(
  context: Omit<ConnectionContext, "signal">,
): Promise<string | undefined> {
  if (context.global.jsdomain !== undefined) return context.global.jsdomain;
  return (await planConnection(connectionSettings(context), context.environment)).jetstreamDomain;
}

/** The time limit of requests. */
export function timeoutMs(global: GlobalFlagValues): number {
  return Math.min(MAX_TIMEOUT_MS, Math.max(1, global.timeout));
}

/**
 * Connects, hands the connection to `use` and closes it afterwards, whatever happens. After an abort `use` has
 * `graceMs` (default 0) to clean up before the connection goes.
 *
 * @throws {NexError} why it cannot connect, what `use` throws, or `ABORTED`
 */
export async function withConnection<R>(
  context: ConnectionContext,
  use: (connection: NatsConnection) => Promise<R>,
  { graceMs = 0 }: { readonly graceMs?: number } = {},
): Promise<R> {
  await using opened = await openConnection(context);
  return await endOnAbort(use(opened.connection), context.signal, graceMs);
}

/**
 * Connects; dispose closes the connection. With `forever` (default false) it reconnects without end.
 *
 * @throws {NexError} why it cannot connect, or `ABORTED`
 */
export async function openConnection(
  context: ConnectionContext,
  { forever = false }: { readonly forever?: boolean } = {},
): Promise<AsyncDisposable & { readonly connection: NatsConnection }> {
  const { signal, environment } = context;
  const connection = await connectToNats(connectionSettings(context), { environment, signal, forever });
  return { connection, [Symbol.asyncDispose]: async () => connection.close() };
}

/** Like {@link withConnection}, with a client of the control API in the namespace of the flags. */
export function withControlClient<R>(
  context: ConnectionContext,
  use: (client: ControlClient, connection: NatsConnection) => Promise<R>,
): Promise<R> {
  const { namespace } = context.global;
  return withConnection(context, (connection) =>
    use(createControlClient({ connection, namespace, timeoutMs: timeoutMs(context.global) }), connection),
  );
}

/** A context replaces all connection flags, except that a flag given by hand beats a context from the environment. */
function contextWins(sources: ConnectionContext["sources"]): boolean {
  if (sources["context"] === "flag") return true;
  return !["server", "user", "creds", "nkey"].some((name) => sources[name] === "flag");
}

function tlsSettings({ tlscert, tlskey, tlsca, tlsfirst }: GlobalFlagValues): TlsSettings | undefined {
  if (tlscert === undefined && tlskey === undefined && tlsca === undefined && !tlsfirst) return undefined;
  return {
    ...present("certFile", tlscert),
    ...present("keyFile", tlskey),
    ...present("caFile", tlsca),
    first: tlsfirst,
  };
}

function connectionName(version: string): string {
  return version === "development" ? "nex" : `nex-${version}`;
}

/** `{ [name]: value }`, or nothing for undefined: optional properties may be absent, not undefined. */
function present<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]: V });
}
