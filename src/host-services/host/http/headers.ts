import { validateHeaderName, validateHeaderValue } from "node:http";
import { ServiceFailure } from "../service-failure.ts";

/** Headers by their names as given; several values as a list. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[]>>;

/** What belongs to the connection, and so to the node. */
const OF_THE_CONNECTION = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Request headers of a function: JSON of names with a value or a list of values.
 *
 * @throws {ServiceFailure} 400
 */
export function parseRequestHeaders(text: string | undefined): RequestHeaders {
  if (text === undefined || text === "") return {};
  const headers: [string, string | readonly string[]][] = [];
  for (const [name, value] of Object.entries(parseObject(text))) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (OF_THE_CONNECTION.has(name.toLowerCase())) throw invalid(`"${name}" cannot be set`);
    try {
      validateHeaderName(name);
      for (const item of values) validateHeaderValue(name, String(item));
    } catch {
      throw invalid(`${JSON.stringify(name)} or its value has characters that headers cannot have`);
    }
    const texts = values.map(String);
    headers.push([name, texts.length === 1 ? (texts[0] ?? "") : texts]);
  }
  return Object.fromEntries(headers);
}

/** Adds defaults for names that are not given, in any case. */
export function withDefaults(
  given: RequestHeaders,
  defaults: Readonly<Record<string, string>>,
): RequestHeaders {
  const names = new Set(Object.keys(given).map((name) => name.toLowerCase()));
  const missing = Object.entries(defaults).filter(([name]) => !names.has(name.toLowerCase()));
  return { ...Object.fromEntries(missing), ...given };
}

/** Leaves some headers out. `names` in lower case. */
export function withoutHeaders(headers: RequestHeaders, names: ReadonlySet<string>): RequestHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.has(name.toLowerCase())));
}

/** Response headers by their canonical names (`Content-Type`), each with all of its values. */
export function canonicalHeaders(rawHeaders: readonly string[]): Record<string, string[]> {
  const headers = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = canonicalName(rawHeaders[index] ?? "");
    const values = headers.get(name) ?? [];
    values.push(rawHeaders[index + 1] ?? "");
    headers.set(name, values);
  }
  return Object.fromEntries(headers);
}

function canonicalName(name: string): string {
  return name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Refused below.
  }
  throw invalid("not a JSON object");
}

function invalid(detail: string): ServiceFailure {
  return new ServiceFailure(400, `invalid request headers: ${detail}`);
}
