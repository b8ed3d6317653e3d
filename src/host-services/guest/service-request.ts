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

type Headers = Readonly<Record<string, string>>;

/** The headers that name what a call is about. */
const TARGET_HEADERS: Readonly<Record<HostServiceName, (target: string) => Headers>> = {
  // As the URL standard writes it when it could not travel as it is.
  http: (target) => ({ "x-http-url": /^[!-~]*$/.test(target) ? target : new URL(target).href }),
  kv: (target) => ({ "x-keyvalue-key": target }),
  objectstore: (target) => ({ "x-object-name": target }),
  messaging: (target) => ({ "x-subject": target }),
};

const answersOf = (answers: Readonly<Record<string, AnswerKind>>): ReadonlyMap<string, AnswerKind> =>
  new Map(Object.entries(answers));

const ANSWERS: ReadonlyMap<string, ReadonlyMap<string, AnswerKind>> = new Map<
  HostServiceName,
  ReadonlyMap<string, AnswerKind>
>([
  [
    "http",
    answersOf({ get: "http", head: "http", post: "http", put: "http", patch: "http", delete: "http" }),
  ],
  ["kv", answersOf({ get: "bytes", set: "success", delete: "success", keys: "list" })],
  ["objectstore", answersOf({ get: "bytes", put: "json", delete: "success", list: "list" })],
  ["messaging", answersOf({ publish: "success", request: "bytes", requestMany: "list-of-bytes" })],
]);

const encoder = new TextEncoder();

/**
 * Turns what a function asked for into a call (protocol.md sections 6 and 7.4).
 *
 * @throws {SyntaxError} when the request headers are no JSON
 */
export function readServiceCall(raw: RawServiceCall): ServiceRequest {
  const [service, method, target] = [String(raw.service), String(raw.method), String(raw.target)];
  if (!isService(service)) return refused(404, `No such host service: ${service}`);
  const answer = ANSWERS.get(service)?.get(method);
  if (answer === undefined) return refused(400, "unknown method");
  const problem = targetProblem(service, target);
  if (problem !== undefined) return refused(400, problem);
  const headers = wireHeaders({ service, answer, target, raw });
  return { kind: "ready", call: { service, method, headers, body: bodyBytes(raw.body) }, answer };
}

function refused(code: number, message: string): ServiceRequest {
  return { kind: "refused", code, message };
}

function wireHeaders(call: {
  readonly service: HostServiceName;
  readonly answer: AnswerKind;
  readonly target: string;
  readonly raw: RawServiceCall;
}): Headers {
  const { service, answer, target, raw } = call;
  if (answer === "list") return {};
  const headers = TARGET_HEADERS[service](target);
  if (service !== "http") return headers;
  return {
    ...headers,
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
  return ANSWERS.has(name);
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
