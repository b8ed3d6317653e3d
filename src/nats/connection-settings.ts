import { NexError } from "../lib/errors.ts";
import { readContext } from "./context.ts";
import type { Environment, NatsContext } from "./context.ts";
import { parseServerUrls } from "./server-urls.ts";
import type { ServerUrls } from "./server-urls.ts";

/** Where and how to connect to NATS, as the command line and configuration files say it. */
export interface ConnectionSettings {
  /**
   * Comma-separated server URLs: `nats://`, `tls://`, `ws://`, `wss://` or a bare `host[:port]`, with credentials as
   * `user:password@` or `token@`. Default port 4222.
   */
  readonly servers: string;
  /** Without a password it is used as token. Credentials in the URL win over these. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** Path of a credentials file (JWT and seed). */
  readonly credsFile?: string;
  /** Path of a file with a user's nkey seed. */
  readonly nkeyFile?: string;
  readonly userJwt?: string;
  readonly userSeed?: string;
  readonly tls?: TlsSettings;
  /** Name of a NATS context, which replaces everything above (and the inbox prefix, when it has one). */
  readonly context?: string;
  /** Shown by the server's monitoring. Default `nex`. */
  readonly name?: string;
  /** Time for one server to answer. Default 5000. */
  readonly timeoutMs?: number;
  /** Default `_INBOX`. */
  readonly inboxPrefix?: string;
}

/** Paths of PEM files, and when the TLS handshake happens. */
export interface TlsSettings {
  /** Client certificate; needs `keyFile`. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Certificate authorities to trust instead of the system's. */
  readonly caFile?: string;
  /** Handshake before the server's greeting (servers 2.10 and newer, configured for it). Default false. */
  readonly first?: boolean;
}

/** How to prove who we are. */
export type Authentication =
  | { readonly kind: "none" }
  | { readonly kind: "user"; readonly user: string; readonly password: string }
  | { readonly kind: "creds"; readonly file: string }
  | { readonly kind: "nkey"; readonly file: string }
  | { readonly kind: "jwt"; readonly jwt: string; readonly seed?: string | undefined };

/** Settings with the context resolved and the URLs taken apart. */
export interface ConnectionPlan {
  readonly servers: ServerUrls;
  readonly authentication: Authentication;
  /** Sent besides `authentication`. */
  readonly token?: string | undefined;
  /** Undefined when the server decides. */
  readonly tls?: TlsSettings | undefined;
  readonly name: string;
  readonly timeoutMs: number;
  readonly inboxPrefix?: string | undefined;
  /** JetStream domain of the context. */
  readonly jetstreamDomain?: string | undefined;
}

const DEFAULT_SERVERS = "nats://127.0.0.1:4222";
const DEFAULT_TIMEOUT_MS = 5000;

/**
 * Resolves the context and takes the server URLs apart.
 *
 * @throws {NexError} `NATS_URL_INVALID`, `NATS_CONTEXT_UNKNOWN`, `NATS_CONTEXT_INVALID`, `USAGE`
 */
export async function planConnection(
  settings: ConnectionSettings,
  environment: Environment = {},
): Promise<ConnectionPlan> {
  const context = settings.context ? await readContext(settings.context, environment) : undefined;
  const source = context === undefined ? settings : settingsOf(context);
  const servers = parseServerUrls(source.servers);
  const token = servers.token ?? source.token ?? tokenFromUser(source);
  const inboxPrefix = checkedInboxPrefix(source.inboxPrefix ?? settings.inboxPrefix);
  return {
    servers,
    authentication: authenticationOf(source, servers),
    ...(token === undefined ? {} : { token }),
    ...(source.tls === undefined ? {} : { tls: source.tls }),
    name: settings.name ?? "nex",
    timeoutMs: settings.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    ...(context?.jetstreamDomain === undefined ? {} : { jetstreamDomain: context.jetstreamDomain }),
  };
}

/** The first of user and password, credentials file, nkey file, JWT; what the URL says comes before all. */
function authenticationOf(settings: ConnectionSettings, servers: ServerUrls): Authentication {
  if (servers.user !== undefined)
    return { kind: "user", user: servers.user, password: servers.password ?? "" };
  if (servers.token !== undefined) return { kind: "none" };
  const { user, password, credsFile, nkeyFile, userJwt, userSeed } = settings;
  if (user && password !== undefined) return { kind: "user", user, password };
  if (credsFile) return { kind: "creds", file: credsFile };
  if (nkeyFile) return { kind: "nkey", file: nkeyFile };
  if (userJwt) return { kind: "jwt", jwt: userJwt.trim(), seed: userSeed?.trim() };
  return { kind: "none" };
}

function tokenFromUser({ user, password }: ConnectionSettings): string | undefined {
  return user && password === undefined ? user : undefined;
}

function settingsOf(context: NatsContext): ConnectionSettings {
  const { url, creds, nkey, cert, key, ca, tlsFirst, ...others } = context;
  return {
    servers: url ?? DEFAULT_SERVERS,
    ...others,
    ...(creds === undefined ? {} : { credsFile: creds }),
    ...(nkey === undefined ? {} : { nkeyFile: nkey }),
    ...((cert ?? key ?? ca ?? (tlsFirst || undefined)) ? { tls: tlsOf({ cert, key, ca, tlsFirst }) } : {}),
  };
}

function tlsOf({
  cert,
  key,
  ca,
  tlsFirst,
}: Pick<NatsContext, "cert" | "key" | "ca" | "tlsFirst">): TlsSettings {
  return {
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(tlsFirst === undefined ? {} : { first: tlsFirst }),
  };
}

function checkedInboxPrefix(prefix: string | undefined): string | undefined {
  if (prefix === undefined || prefix === "") return undefined;
  if (prefix.split(".").every((part) => /^[^\s*>]+$/.test(part))) return prefix;
  throw new NexError({
    code: "USAGE",
    message: `Cannot use inbox prefix "${prefix}": it must be a subject without wildcards, spaces and empty parts`,
  });
}
