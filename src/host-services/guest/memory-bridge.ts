import { errorText } from "../../lib/errors.ts";
import { createAbortableCalls } from "./abortable-calls.ts";
import type { HostServiceResult, HostServices } from "./host-services.ts";
import { answeredProblem, httpAnswer, listOfBytes, parseAnswer } from "./service-answer.ts";
import { readServiceCall } from "./service-request.ts";
import type { AnswerKind } from "./service-request.ts";

/** A call out of a WebAssembly module, its texts as UTF-8. Not trusted to have any shape. */
export interface MemoryCall {
  readonly service: unknown;
  readonly method: unknown;
  readonly target: unknown;
  readonly body: unknown;
  /** Request headers of http, a line each. */
  readonly headers: unknown;
  /** Whether http shall leave redirects to the function. */
  readonly manualRedirect: unknown;
}

/**
 * An answer on its way into linear memory: the code of protocol.md section 6 with the result, or with the text of the
 * error when it is not 200; for http also the status and a line for each header. All bytes have a buffer of their own.
 * `undefined` when the function's time is over.
 */
export type MemoryReply =
  | readonly [code: number, result: Uint8Array, httpStatus: number, httpHeaders: Uint8Array]
  | undefined;

/** The host's end of the calls a WebAssembly function makes. */
export interface MemoryBridge {
  /** Never rejects, whatever the arguments are. */
  call(call: MemoryCall): Promise<MemoryReply>;
  /** The function's time is over: the calls in flight get no answer, and neither does any later one. */
  abort(): void;
}

/** What the host keeps at most for a module to read. No service is allowed more (docs/host-services.md). */
const MAX_RESULT_BYTES = 32 * 1024 * 1024;
const encoder = new TextEncoder();

/** Connects a WebAssembly function's calls with the host services of its workload (docs/webassembly.md). */
export function createMemoryBridge(hostServices: HostServices): MemoryBridge {
  const calls = createAbortableCalls<MemoryReply>(undefined);
  return {
    call: async (call) => calls.run(async () => answer(hostServices, call)),
    abort: () => calls.abort(),
  };
}

async function answer(hostServices: HostServices, call: MemoryCall): Promise<MemoryReply> {
  try {
    const target = decodeText(call.target);
    if (target === undefined) return failed(400, "the name is not valid UTF-8");
    const headers = headersJson(call.headers);
    if (headers === undefined)
      return failed(400, "invalid request headers: each is a line of a name, a colon and a value");
    const redirect = call.manualRedirect === true ? "manual" : undefined;
    const request = readServiceCall({ ...call, target, headers, redirect });
    if (request.kind === "refused") return failed(request.code, request.message);
    const result = await hostServices.call(request.call);
    if (result.code !== 200) return failed(result.code, result.message);
    const reply = encode(request.answer, result);
    if (reply[1].length <= MAX_RESULT_BYTES) return reply;
    return failed(413, `the result exceeds the limit of ${MAX_RESULT_BYTES} bytes`);
  } catch (error) {
    return failed(500, errorText(error));
  }
}

type Encoded = Exclude<MemoryReply, undefined>;

function encode(kind: AnswerKind, { body }: HostServiceResult): Encoded {
  switch (kind) {
    case "bytes":
      return succeeded(new Uint8Array(body));
    case "json":
      return succeeded(encoder.encode(JSON.stringify(parseAnswer(body))));
    case "list":
      return succeeded(encodeList(itemsOf(parseAnswer(body) ?? [])));
    case "list-of-bytes":
      return succeeded(encodeList(listOfBytes(body)));
    case "success": {
      const problem = answeredProblem(body);
      return problem === undefined ? succeeded(new Uint8Array(0)) : failed(500, problem);
    }
    case "http": {
      const { fields, bytes } = httpAnswer(body);
      const text = typeof fields["body"] === "string" ? fields["body"] : "";
      const result = bytes ?? encoder.encode(text);
      return [200, new Uint8Array(result), Number(fields["status"]), headerLines(fields["headers"])];
    }
    default:
      return kind satisfies never;
  }
}

function succeeded(result: Uint8Array): Encoded {
  return [200, new Uint8Array(result), 0, new Uint8Array(0)];
}

function failed(code: number, message: string): Encoded {
  return [code, new Uint8Array(encoder.encode(message)), 0, new Uint8Array(0)];
}

/** Names as they are, anything else as JSON. */
function itemsOf(list: unknown): Uint8Array[] {
  if (!Array.isArray(list)) throw new TypeError("the answer is not a list");
  return list.map((item: unknown) => encoder.encode(typeof item === "string" ? item : JSON.stringify(item)));
}

/** Each item after its length, four bytes with the lowest first. */
function encodeList(items: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(items.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const item of items) {
    view.setUint32(at, item.length, true);
    bytes.set(item, at + 4);
    at += 4 + item.length;
  }
  return bytes;
}

function headerLines(headers: unknown): Uint8Array {
  if (typeof headers !== "object" || headers === null) return new Uint8Array(0);
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map((value) => `${name}: ${String(value)}\n`),
  );
  return new Uint8Array(encoder.encode(lines.join("")));
}

/** Lines of `Name: value` as JSON of names with lists of values; undefined when they are none. */
function headersJson(lines: unknown): string | undefined {
  const text = decodeText(lines);
  if (text === undefined) return undefined;
  const headers = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    if (colon < 1) return undefined;
    const name = line.slice(0, colon);
    const values = headers.get(name) ?? [];
    values.push(line.slice(colon + 1).trim());
    headers.set(name, values);
  }
  return JSON.stringify(Object.fromEntries(headers));
}

/** Undefined when the bytes are no UTF-8. */
function decodeText(bytes: unknown): string | undefined {
  if (!(bytes instanceof Uint8Array)) return "";
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
