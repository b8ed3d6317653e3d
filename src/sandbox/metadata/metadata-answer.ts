import type { MetadataTokens } from "./metadata-tokens.ts";
import { selectMetadata } from "./select-metadata.ts";
import type { MetadataDocument, MetadataSelection } from "./select-metadata.ts";

/** A machine's metadata and the tokens it has been given. */
export interface PublishedMetadata {
  readonly document: MetadataDocument;
  readonly tokens: MetadataTokens;
}

/** The part of a request that the answer depends on. */
export interface MetadataRequest {
  readonly method: string;
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TOKEN = "x-metadata-token";
const LIFETIME = "x-metadata-token-ttl-seconds";
const MOST_LIFETIME_SECONDS = 21_600;

/** Answers with the status codes of MMDS; a machine without metadata gets no token. */
export function answerMetadataRequest(
  request: MetadataRequest,
  published: PublishedMetadata | undefined,
): MetadataAnswer {
  const path = pathOf(request.url);
  if (path === undefined) return plain(400, "The URI is not valid");
  switch (request.method) {
    case "GET":
      return answerGet(request, path, published);
    case "PUT":
      return answerPut(request, path, published);
    default:
      return { ...plain(405, "Only GET and PUT are served"), headers: { ...TEXT, allow: "GET, PUT" } };
  }
}

function answerPut(
  { headers }: MetadataRequest,
  path: string,
  published: PublishedMetadata | undefined,
): MetadataAnswer {
  if (path !== "/latest/api/token") return plain(404, `There is no resource "${path}"`);
  // A proxy in the guest that passes on whatever it is sent must not hand out tokens.
  if (headers["x-forwarded-for"] !== undefined) return plain(400, "X-Forwarded-For is refused");
  const text = headers[LIFETIME];
  if (text === undefined) return plain(400, `The header ${LIFETIME} is missing`);
  const lifetime = typeof text === "string" && /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (lifetime < 1 || lifetime > MOST_LIFETIME_SECONDS) {
    return plain(400, `${LIFETIME} must be between 1 and ${MOST_LIFETIME_SECONDS}`);
  }
  if (published === undefined) return plain(404, "There is no metadata for this address");
  const token = published.tokens.issue(lifetime);
  return { status: 200, headers: { ...TEXT, [LIFETIME]: String(lifetime) }, body: token };
}

function answerGet(
  { headers }: MetadataRequest,
  path: string,
  published: PublishedMetadata | undefined,
): MetadataAnswer {
  const token = headers[TOKEN];
  if (typeof token !== "string") return plain(401, `The header ${TOKEN} is missing`);
  if (published === undefined || !published.tokens.isGood(token)) return plain(401, "The token is not valid");
  const format = formatOf(headers["accept"]);
  if (format === undefined) return plain(406, "Only application/json and text/plain are served");
  const selection = selectMetadata(published.document, path);
  if (selection.kind === "missing") return plain(404, `There is no resource "${path}"`);
  return format === "json" ? json(selection.value) : inPlainText(selection);
}

/** As MMDS does it: names, one a line; a text as it is; nothing else. */
function inPlainText(selection: Exclude<MetadataSelection, { kind: "missing" }>): MetadataAnswer {
  if (selection.kind === "document") return plain(200, Object.keys(selection.value).sort().join("\n"));
  if (typeof selection.value === "string") return plain(200, selection.value);
  return plain(501, "The value has a type that has no plain text form");
}

function formatOf(accept: string | string[] | undefined): "json" | "text" | undefined {
  const types = String(accept ?? "*/*")
    .split(",")
    .map((type) => type.replace(/;.*/, "").trim().toLowerCase());
  if (types.includes("application/json")) return "json";
  return types.some((type) => ["text/plain", "text/*", "*/*", ""].includes(type)) ? "text" : undefined;
}

/** Undefined for what is no path. Repeated slashes count as one, as with MMDS. */
function pathOf(url: string): string | undefined {
  const path = url
    .replace(/^http:\/\/[^/?#]*/i, "")
    .replace(/[?#].*/, "")
    .replaceAll(/\/{2,}/g, "/");
  return path.startsWith("/") ? path : undefined;
}

const TEXT = { "content-type": "text/plain" };

function plain(status: number, body: string): MetadataAnswer {
  return { status, headers: TEXT, body };
}

function json(value: unknown): MetadataAnswer {
  return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}
