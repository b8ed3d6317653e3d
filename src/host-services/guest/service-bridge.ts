import { errorText } from "../../lib/errors.ts";
import type { HostServiceCall, HostServiceName, HostServiceResult, HostServices } from "./host-services.ts";

/**
 * An answer on its way into the isolate: `=` and JSON text, `!` and the text of an error, bytes, a list of bytes,
 * `=` and JSON text with the bytes of an http body, or nothing. Never an error object: those carry paths of the host.
 */
export type BridgeReply =
  | string
  | Uint8Array
  | readonly Uint8Array[]
  | readonly [json: string, body: Uint8Array]
  | undefined;

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

/** The host's end of the calls a function makes. */
export interface ServiceBridge {
  /** Never rejects, whatever the arguments are. */
  call(call: RawServiceCall): Promise<BridgeReply>;
  /** The same with the thread waiting, `timeoutMs` at most; undefined where that is not possible. */
  readonly callBlocking: ((call: RawServiceCall, timeoutMs: number) => BridgeReply) | undefined;
  /** The function's time is over: the calls in flight fail, and so does every later one. */
  abort(): void;
}

/** What the bytes of a successful answer are. */
type Answer = "bytes" | "json" | "http" | "success" | "list-of-bytes";

const TARGET_HEADER: Readonly<Record<HostServiceName, string>> = {
  http: "x-http-url",
  kv: "x-keyvalue-key",
  objectstore: "x-object-name",
  messaging: "x-subject",
};

const ANSWERS: Readonly<Record<HostServiceName, Readonly<Record<string, Answer>>>> = {
  http: { get: "http", head: "http", post: "http", put: "http", patch: "http", delete: "http" },
  kv: { get: "bytes", set: "success", delete: "success", keys: "json" },
  objectstore: { get: "bytes", put: "json", delete: "success", list: "json" },
  messaging: { publish: "success", request: "bytes", requestMany: "list-of-bytes" },
};

const NO_TARGET = new Set(["kv.keys", "objectstore.list"]);
const ABORTED = "!function has been stopped";
const encoder = new TextEncoder();

/** Connects a function's calls with the host services of its workload (protocol.md sections 6 and 7.4). */
export function createServiceBridge(hostServices: HostServices): ServiceBridge {
  const inFlight = new Set<(reply: BridgeReply) => void>();
  let open = true;
  const { callBlocking } = hostServices;
  return {
    callBlocking:
      callBlocking === undefined
        ? undefined
        : (raw, timeoutMs) => {
            if (!open) return ABORTED;
            const prepared = prepare(raw);
            if (typeof prepared === "string") return prepared;
            try {
              return readAnswer(prepared, callBlocking(prepared.call, timeoutMs));
            } catch (error) {
              return `${prepared.prefix}${errorText(error)}`;
            }
          },
    async call(call) {
      if (!open) return ABORTED;
      const { promise, resolve } = Promise.withResolvers<BridgeReply>();
      inFlight.add(resolve);
      void settleWith(resolve, answer(hostServices, call));
      const reply = await promise;
      inFlight.delete(resolve);
      return reply;
    },
    abort() {
      open = false;
      for (const resolve of inFlight) resolve(ABORTED);
    },
  };
}

/** Unlike resolving with the promise itself, this leaves `resolve` open for an abort. */
async function settleWith(resolve: (reply: BridgeReply) => void, reply: Promise<BridgeReply>): Promise<void> {
  resolve(await reply);
}

async function answer(hostServices: HostServices, raw: RawServiceCall): Promise<BridgeReply> {
  const prepared = prepare(raw);
  if (typeof prepared === "string") return prepared;
  try {
    return readAnswer(prepared, await hostServices.call(prepared.call));
  } catch (error) {
    return `${prepared.prefix}${errorText(error)}`;
  }
}

/** A call as it goes on the wire, and how to read its answer. */
interface PreparedCall {
  readonly call: HostServiceCall;
  readonly kind: Answer;
  /** What the text of a failure begins with. */
  readonly prefix: string;
}

/** The call, or the failure of one that makes no sense. */
function prepare(raw: RawServiceCall): PreparedCall | string {
  const [service, method, target] = [String(raw.service), String(raw.method), String(raw.target)];
  const prefix = service === "http" ? "!failed to complete HTTP request: " : "!";
  if (!isService(service)) return `!No such host service: ${service}`;
  const kind = Object.hasOwn(ANSWERS[service], method) ? ANSWERS[service][method] : undefined;
  if (kind === undefined) return "!unknown method";
  const problem = targetProblem(service, target);
  if (problem !== undefined) return `!${problem}`;
  try {
    const headers = wireHeaders({ service, method, target, raw });
    return { call: { service, method, headers, body: bodyBytes(raw.body) }, kind, prefix };
  } catch (error) {
    return `${prefix}${errorText(error)}`;
  }
}

function readAnswer({ kind, prefix }: PreparedCall, result: HostServiceResult): BridgeReply {
  if (result.code !== 200) return `${prefix}${result.message} (${result.code})`;
  try {
    return decode(kind, result);
  } catch (error) {
    return `${prefix}${errorText(error)}`;
  }
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

function decode(kind: Answer, { body }: HostServiceResult): BridgeReply {
  switch (kind) {
    case "bytes":
      return new Uint8Array(body);
    case "json":
      return `=${JSON.stringify(parse(body) ?? [])}`;
    case "http":
      return httpReply(parse(body));
    case "success": {
      const reply = body.length === 0 ? {} : parse(body);
      if (typeof reply !== "object" || reply === null || !("success" in reply) || reply.success !== false)
        return undefined;
      return `!${"errors" in reply && Array.isArray(reply.errors) ? reply.errors.join(", ") : "the call did not succeed"}`;
    }
    case "list-of-bytes": {
      const list = parse(body);
      if (!Array.isArray(list)) throw new TypeError("the answer is not a list");
      return list.map((item) => new Uint8Array(Buffer.from(String(item), "base64")));
    }
    default:
      return kind satisfies never;
  }
}

/** Binary bodies come as base64 beside their text and leave as bytes. */
function httpReply(answer: unknown): BridgeReply {
  if (typeof answer !== "object" || answer === null) throw new TypeError("the answer is not an object");
  if (!("body_base64" in answer)) return `=${JSON.stringify(answer)}`;
  const { body_base64: base64, ...rest } = answer;
  return [`=${JSON.stringify(rest)}`, new Uint8Array(Buffer.from(String(base64), "base64"))];
}

function parse(body: Uint8Array): unknown {
  return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
}
