import { request as requestHttp } from "node:http";
import type { IncomingMessage, RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { ServiceFailure } from "../service-failure.ts";

/** One request over a connection of its own. */
export interface ExchangeRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Uint8Array;
  readonly lookup: LookupFunction;
  readonly tls: TlsSettings;
  readonly maxBodyBytes: number;
  readonly signal: AbortSignal;
  /** Whether the body of an answer with this status is of interest. */
  readonly wantsBody: (status: number) => boolean;
}

export interface TlsSettings {
  /** Default true. */
  readonly verify: boolean;
  /** Certificate authorities instead of those Node.js trusts. */
  readonly ca?: string;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** Names and values as they came, in turn. */
  readonly rawHeaders: readonly string[];
  /** Not decoded. */
  readonly body: Buffer;
}

const MAX_HEADER_BYTES = 64 * 1024;

/** Sends one request and reads its answer. The connection is gone when this settles. */
export async function exchange(options: ExchangeRequest): Promise<ExchangeAnswer> {
  const { url, body, signal, wantsBody } = options;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const request = send(requestOptions(options), resolve);
  request.on("error", reject);
  request.on("close", () => reject(new Error("the server closed the connection without an answer")));
  request.end(body);
  try {
    const response = await promise;
    const { statusCode: status = 0, rawHeaders } = response;
    response.on("error", () => {});
    const content = wantsBody(status) ? await readBody(response, options.maxBodyBytes) : Buffer.alloc(0);
    return { status, rawHeaders, body: content };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    request.destroy();
  }
}

function requestOptions(options: ExchangeRequest): RequestOptions & { rejectUnauthorized?: boolean } {
  const { url, method, headers, body, lookup, tls, signal } = options;
  // A body without a length would be sent in chunks, which not every server takes for every method.
  const length = body.length > 0 || !["GET", "HEAD", "DELETE"].includes(method) ? body.length : undefined;
  return {
    protocol: url.protocol,
    hostname: hostOf(url),
    port: url.port,
    path: `${url.pathname}${url.search}`,
    method,
    headers: { ...headers, ...(length === undefined ? {} : { "Content-Length": String(length) }) },
    agent: false,
    lookup,
    signal,
    maxHeaderSize: MAX_HEADER_BYTES,
    ...(url.protocol === "https:"
      ? { rejectUnauthorized: tls.verify, ...(tls.ca === undefined ? {} : { ca: tls.ca }) }
      : {}),
  };
}

/** The host as sockets want it: IPv6 addresses without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** The refusal of an answer that is larger than the node lets through. */
export function tooLarge(maxBytes: number): ServiceFailure {
  return new ServiceFailure(413, `the answer exceeds the limit of ${maxBytes} bytes`);
}
