import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { NexError } from "../lib/errors.ts";

/** A list of servers taken apart. */
export interface ServerUrls {
  /** Without credentials, with port: what may be shown and handed to the client library. */
  readonly urls: readonly string[];
  readonly transport: "tcp" | "websocket";
  /** True when a URL asks for it (`tls://`, `wss://`). */
  readonly tls: boolean;
  /** From the URLs; only a token or a user with a password. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { nats: 4222, tls: 4222, ws: 80, wss: 443 };

/**
 * Takes a comma-separated list of server URLs apart. The credentials of one URL serve all of them: the client library
 * knows one identity per connection.
 *
 * @throws {NexError} `NATS_URL_INVALID`, which never shows credentials
 */
export function parseServerUrls(list: string): ServerUrls {
  const servers = list
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map((text) => parseServerUrl(text, redacted(text, list)));
  const transports = new Set(servers.map(({ transport }) => transport));
  const identities = new Map(
    servers.flatMap(({ identity }) => (identity ? [[JSON.stringify(identity), identity]] : [])),
  );
  const [transport] = transports;
  if (transport === undefined) throw invalid(list, "it is empty");
  const urls = servers.map(({ url }) => url);
  if (transports.size > 1) throw invalid(redacted(list, list), "ws:// and nats:// cannot be mixed");
  if (identities.size > 1) throw invalid(redacted(list, list), "its servers have different credentials");
  const [identity] = identities.values();
  return { urls, transport, tls: servers.some(({ tls }) => tls), ...identity };
}

type Identity = { readonly token: string } | { readonly user: string; readonly password: string };

interface ServerUrl {
  readonly url: string;
  readonly transport: "tcp" | "websocket";
  readonly tls: boolean;
  readonly identity: Identity | undefined;
}

/**
 * A server as errors may show it: without credentials, and not at all when there is an "@" elsewhere, because it may
 * then be a part of credentials with a comma in them.
 */
function redacted(text: string, list: string): string {
  const marks = list.split("@").length - 1;
  if (marks === 0) return text;
  return marks === 1 && text.includes("@") ? `…${text.slice(text.indexOf("@"))}` : "…";
}

function parseServerUrl(text: string, shown: string): ServerUrl {
  const [, scheme = "nats", rest = ""] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/i.exec(text) ?? [];
  const protocol = scheme.toLowerCase();
  const defaultPort = DEFAULT_PORTS[protocol];
  if (defaultPort === undefined) throw invalid(shown, `"${protocol}" is none of nats, tls, ws, wss`);
  const [, authority = "", path = ""] = /^([^/?#]*)(.*)$/.exec(rest) ?? [];
  const at = authority.lastIndexOf("@");
  const { host, port } = parseHost(shown, authority.slice(at + 1));
  const transport = protocol.startsWith("ws") ? "websocket" : "tcp";
  if (transport === "tcp" && path !== "" && path !== "/") throw invalid(shown, "it has a path");
  return {
    url: `${protocol}://${host}:${port ?? defaultPort}${transport === "websocket" && path !== "/" ? path : ""}`,
    transport,
    tls: protocol === "tls" || protocol === "wss",
    identity: at === -1 ? undefined : parseIdentity(shown, authority.slice(0, at)),
  };
}

function parseHost(
  shown: string,
  hostAndPort: string,
): { readonly host: string; readonly port: number | undefined } {
  if (isIPv6(hostAndPort) && !hostAndPort.includes("%")) return { host: `[${hostAndPort}]`, port: undefined };
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(hostAndPort) ?? [];
  const host = bracketed === undefined ? domainToASCII(plain ?? "") : `[${bracketed}]`;
  const isHost =
    bracketed === undefined ? /^[^\s%]+$/.test(host) : isIPv6(bracketed) && !bracketed.includes("%");
  if (!isHost) throw invalid(shown, hostAndPort === "" ? "it has no host" : "its host is not valid");
  if (portText === undefined || portText === "") return { host, port: undefined };
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535) throw invalid(shown, "its port is not a number from 1 to 65535");
  return { host, port };
}

function parseIdentity(shown: string, userInfo: string): Identity | undefined {
  if (userInfo === "") return undefined;
  const colon = userInfo.indexOf(":");
  try {
    if (colon === -1) return { token: decodeURIComponent(userInfo) };
    return {
      user: decodeURIComponent(userInfo.slice(0, colon)),
      password: decodeURIComponent(userInfo.slice(colon + 1)),
    };
  } catch (cause) {
    throw invalid(shown, 'its credentials are not percent-encoded (write "%25" for a percent sign)', cause);
  }
}

function invalid(shown: string, reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "NATS_URL_INVALID",
    message: `Cannot use NATS server "${shown}": ${reason}`,
    hint: 'Write servers as "nats://host:4222", several separated by commas; percent-encode special characters in credentials',
    cause,
  });
}
