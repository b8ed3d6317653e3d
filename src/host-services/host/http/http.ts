/**
 * The http service of one workload (protocol.md 6.2).
 *
 * H1 no connection is made to an address that the guard refuses, whatever a URL, a name or a redirect says
 * H2 credentials a function gave for one origin are not sent to another
 * H3 every connection is gone when its call is answered
 */
import { lookup } from "node:dns/promises";
import type { TimedService } from "../call-limits.ts";
import { succeeded } from "../host-services.ts";
import { attempt, ServiceFailure } from "../service-failure.ts";
import { createAddressGuard } from "./address-guard.ts";
import { exchange, hostOf } from "./exchange.ts";
import type { ExchangeAnswer, TlsSettings } from "./exchange.ts";
import { guardedLookup, requireAllowedAddress } from "./guarded-lookup.ts";
import type { ResolveHost } from "./guarded-lookup.ts";
import { canonicalHeaders, parseRequestHeaders, withDefaults, withoutHeaders } from "./headers.ts";
import type { RequestHeaders } from "./headers.ts";
import { bodyText, decodeBody } from "./response-body.ts";

export interface HttpServiceOptions {
  /** Addresses, CIDR ranges and host names that functions may reach besides the public internet. */
  readonly allow: readonly string[];
  readonly maxBodyBytes: number;
  readonly tls: TlsSettings;
  /** Default: as the node's system resolves names. */
  readonly resolveHost?: ResolveHost;
}

const METHODS: ReadonlySet<string> = new Set(["get", "post", "put", "patch", "delete", "head"]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 10;
const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "cookie"]);
const ABOUT_THE_BODY: ReadonlySet<string> = new Set([
  "content-type",
  "content-encoding",
  "content-language",
  "content-location",
]);
const DEFAULT_HEADERS = {
  Accept: "*/*",
  "Accept-Encoding": "gzip, deflate, br",
  "Accept-Language": "en-us",
  "User-Agent": "nex",
} as const;
const NOTHING = new Uint8Array(0);
const FAILURE = "http request failed";

/** Answers the http service's calls (H1 to H3). */
export function createHttpService(options: HttpServiceOptions): TimedService {
  const guard = createAddressGuard(options.allow);
  const resolveHost = options.resolveHost ?? (async (host) => lookup(host, { all: true }));
  const lookupAllowed = guardedLookup(guard, resolveHost);

  const send = async (step: Step, follow: boolean, signal: AbortSignal): Promise<ExchangeAnswer> => {
    requireAllowedAddress(guard, hostOf(step.url));
    return exchange({
      ...step,
      headers: withAuthorization(step),
      lookup: lookupAllowed,
      tls: options.tls,
      maxBodyBytes: options.maxBodyBytes,
      signal,
      wantsBody: (status) => !(follow && REDIRECTS.has(status)),
    });
  };

  return async ({ method, headers, body }, { signal }) => {
    if (!METHODS.has(method)) throw new ServiceFailure(400, "Received invalid host services RPC request");
    const follow = headers["x-http-redirect"] !== "manual";
    let step: Step = {
      url: parseUrl(headers["x-http-url"]),
      method: method.toUpperCase(),
      headers: requestHeaders(headers["x-http-headers"], body),
      body,
    };
    for (let redirects = 0; ; redirects++) {
      const answer = await attempt(FAILURE, signal, send(step, follow, signal));
      const next = follow ? redirected(step, answer) : undefined;
      if (next === undefined) return succeeded(await resultOf(step.url, answer, options.maxBodyBytes));
      if (redirects === MAX_REDIRECTS)
        throw new ServiceFailure(500, `${FAILURE}: stopped after ${MAX_REDIRECTS} redirects`);
      step = next;
    }
  };
}

/** One request of what may become several. */
interface Step {
  readonly url: URL;
  readonly method: string;
  readonly headers: RequestHeaders;
  readonly body: Uint8Array;
}

function requestHeaders(given: string | undefined, body: Uint8Array): RequestHeaders {
  return withDefaults(parseRequestHeaders(given), {
    ...DEFAULT_HEADERS,
    ...(body.length === 0 ? {} : { "Content-Type": "text/plain" }),
  });
}

/** User and password of the URL, unless the function gave a header of its own. */
function withAuthorization({ url, headers }: Step): RequestHeaders {
  if (url.username === "" && url.password === "") return headers;
  const pair = `${decodePart(url.username)}:${decodePart(url.password)}`;
  return withDefaults(headers, { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` });
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parseUrl(text: string | undefined): URL {
  if (text === undefined || text === "") throw new ServiceFailure(400, "url is required");
  const url = URL.parse(text);
  if (url === null) throw new ServiceFailure(400, `parse ${JSON.stringify(text)}: invalid URL`);
  return requireScheme(url);
}

function requireScheme(url: URL): URL {
  if (url.protocol === "http:" || url.protocol === "https:") return url;
  throw new ServiceFailure(400, `unsupported protocol scheme "${url.protocol.slice(0, -1)}"`);
}

/** The request that a redirect asks for, as browsers do it; undefined when the answer is none. */
function redirected(step: Step, { status, rawHeaders }: ExchangeAnswer): Step | undefined {
  const location = canonicalHeaders(rawHeaders)["Location"]?.[0];
  if (!REDIRECTS.has(status) || location === undefined) return undefined;
  const target = URL.parse(location, step.url.href);
  if (target === null) throw new ServiceFailure(500, `${FAILURE}: redirect to an invalid URL`);
  const url = requireScheme(target);
  const kept = url.origin === step.url.origin ? step.headers : withoutHeaders(step.headers, CREDENTIALS);
  const becomesGet =
    status === 303 ? !["GET", "HEAD"].includes(step.method) : status < 303 && step.method === "POST";
  if (!becomesGet) return { ...step, url, headers: kept };
  return { url, method: "GET", headers: withoutHeaders(kept, ABOUT_THE_BODY), body: NOTHING };
}

async function resultOf(url: URL, answer: ExchangeAnswer, maxBodyBytes: number): Promise<object> {
  const headers = canonicalHeaders(answer.rawHeaders);
  const encoding = headers["Content-Encoding"]?.join(",") ?? "";
  const body = await decodeBody(answer.body, encoding, maxBodyBytes);
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  return {
    status: answer.status,
    headers,
    ...bodyText(body, headers["Content-Type"]?.[0] ?? ""),
    url: shown.href,
  };
}
