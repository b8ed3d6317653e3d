import type { HostServiceCall, HostServiceName } from "./host-services.ts";

/** A call as it comes out of the isolate: not trusted to have any shape. */
export interface RawServiceCall {
  readonly service: unknown;
  readonly method: unknown;
  readonly target: unknown;
  readonly body?: unknown;
  /** Request headers of http as JSON text. */
  readonly headers?: unknown;
  /** `manual` when http shall not follow redirects. */
  readonly redirect?: unknown;
}

/** What the bytes of a successful answer are. */
export type AnswerKind = "bytes" | "json" | "list" | "http" | "success" | "list-of-bytes";

/** A call ready to be made, or why it is not made. */
export type ServiceRequest =
  | { readonly kind: "ready"; readonly call: HostServiceCall; readonly answer: AnswerKind }
  | { readonly kind: "refused"; readonly code: number; readonly message: string };

const TARGET_HEADER: Readonly<Record<HostServiceName, string>> = {
  http: "x-http-url",
  kv: "x-keyvalue-key",
  objectstore: "x-object-name",
  messaging: "x-subject",
};

const ANSWERS: Readonly<Record<HostServiceName, Readonly<Record<string, AnswerKind>>>> = {
  http: { get: "http", head: "http", post: "http", put: "http", patch: "http", delete: "http" },
  kv: { get: "bytes", set: "success", delete: "success", keys: "list" },
  objectstore: { get: "bytes", put: "json", delete: "success", list: "list" },
  messaging: { publish: "success", request: "bytes", requestMany: "list-of-bytes" },
};

const NO_TARGET = new Set(["kv.keys", "objectstore.list"]);
const encoder = new TextEncoder();

/**
 * Turns what a function asked for into a call (protocol.md sections 6 and 7.4).
 *
 * @throws {SyntaxError} when the request headers are no JSON
 */
export function readServiceCall(raw: RawServiceCall): ServiceRequest {
  const [service, method, target] = [String(raw.service), String(raw.method), String(raw.target)];
  if (!isService(service)) return refused(404, `No such host service: ${service}`);
  const answer = Object.hasOwn(ANSWERS[service], method) ? ANSWERS[service][method] : undefined;
  if (answer === undefined) return refused(400, "unknown method");
  const problem = targetProblem(service, target);
  if (problem !== undefined) return refused(400, problem);
  const headers = wireHeaders({ service, method, target, raw });
  return { kind: "ready", call: { service, method, headers, body: bodyBytes(raw.body) }, answer };
}

function refused(code: number, message: string): ServiceRequest {
  return { kind: "refused", code, message };
}

function wireHeaders(call: {
  readonly service: HostServiceName;
  readonly method: string;
  readonly target: string;
  readonly raw: RawServiceCall;
}): Record<string, string> {
  const { service, method, target, raw } = call;
  if (NO_TARGET.has(`${service}.${method}`)) return {};
  if (service !== "http") return { [TARGET_HEADER[service]]: target };
  return {
    // As the URL standard writes it when it could not travel as it is.
    [TARGET_HEADER.http]: /^[!-~]*$/.test(target) ? target : new URL(target).href,
    ...(typeof raw.headers === "string" ? { "x-http-headers": asciiJson(raw.headers) } : {}),
    ...(raw.redirect === "manual" ? { "x-http-redirect": "manual" } : {}),
  };
}

/** JSON text that can travel as a header value: JSON escapes control characters by itself. */
function asciiJson(json: string): string {
  return JSON.stringify(JSON.parse(json)).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isService(name: string): name is HostServiceName {
  return Object.hasOwn(ANSWERS, name);
}

/** Targets travel as header values: a line break in one would start another header. */
function targetProblem(service: HostServiceName, target: string): string | undefined {
  if (service === "http")
    return URL.canParse(target) ? undefined : `parse ${JSON.stringify(target)}: invalid URL`;
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  return /[\u0000-\u001f\u007f]/.test(target)
    ? `${JSON.stringify(target)} holds a control character`
    : undefined;
}

function bodyBytes(body: unknown): Uint8Array {
  if (typeof body === "string") return encoder.encode(body);
  return body instanceof Uint8Array ? body : new Uint8Array(0);
}
