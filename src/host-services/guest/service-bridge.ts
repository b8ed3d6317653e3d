import { errorText } from "../../lib/errors.ts";
import { createAbortableCalls } from "./abortable-calls.ts";
import type { HostServiceCall, HostServiceResult, HostServices } from "./host-services.ts";
import { answeredProblem, httpAnswer, listOfBytes, parseAnswer } from "./service-answer.ts";
import { readServiceCall } from "./service-request.ts";
import type { AnswerKind, RawServiceCall } from "./service-request.ts";

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

/** The host's end of the calls a function makes. */
export interface ServiceBridge {
  /** Never rejects, whatever the arguments are. */
  call(call: RawServiceCall): Promise<BridgeReply>;
  /** The same with the thread waiting, `timeoutMs` at most; undefined where that is not possible. */
  readonly callBlocking: ((call: RawServiceCall, timeoutMs: number) => BridgeReply) | undefined;
  /** The function's time is over: the calls in flight fail, and so does every later one. */
  abort(): void;
}

const ABORTED = "!function has been stopped";

/** Connects a JavaScript function's calls with the host services of its workload (protocol.md sections 6 and 7.4). */
export function createServiceBridge(hostServices: HostServices): ServiceBridge {
  const calls = createAbortableCalls<BridgeReply>(ABORTED);
  const { callBlocking } = hostServices;
  return {
    callBlocking:
      callBlocking === undefined
        ? undefined
        : (raw, timeoutMs) =>
            calls.isAborted ? ABORTED : answerBlocking((call) => callBlocking(call, timeoutMs), raw),
    call: async (call) => calls.run(async () => answer(hostServices, call)),
    abort: () => calls.abort(),
  };
}

async function answer(hostServices: HostServices, raw: RawServiceCall): Promise<BridgeReply> {
  try {
    const request = readServiceCall(raw);
    if (request.kind === "refused") return `!${request.message}`;
    return resultOf(raw, request.answer, await hostServices.call(request.call));
  } catch (error) {
    return `${failurePrefix(raw)}${errorText(error)}`;
  }
}

function answerBlocking(
  call: (request: HostServiceCall) => HostServiceResult,
  raw: RawServiceCall,
): BridgeReply {
  try {
    const request = readServiceCall(raw);
    if (request.kind === "refused") return `!${request.message}`;
    return resultOf(raw, request.answer, call(request.call));
  } catch (error) {
    return `${failurePrefix(raw)}${errorText(error)}`;
  }
}

function resultOf(raw: RawServiceCall, kind: AnswerKind, result: HostServiceResult): BridgeReply {
  if (result.code !== 200) return `${failurePrefix(raw)}${result.message} (${result.code})`;
  return decode(kind, result);
}

/** What the text of a failure begins with. */
function failurePrefix({ service }: RawServiceCall): string {
  return service === "http" ? "!failed to complete HTTP request: " : "!";
}

function decode(kind: AnswerKind, { body }: HostServiceResult): BridgeReply {
  switch (kind) {
    case "bytes":
      return new Uint8Array(body);
    case "json":
    case "list":
      return `=${JSON.stringify(parseAnswer(body) ?? [])}`;
    case "http": {
      const { fields, bytes } = httpAnswer(body);
      const json = `=${JSON.stringify(fields)}`;
      return bytes === undefined ? json : [json, bytes];
    }
    case "success": {
      const problem = answeredProblem(body);
      return problem === undefined ? undefined : `!${problem}`;
    }
    case "list-of-bytes":
      return listOfBytes(body);
    default:
      return kind satisfies never;
  }
}
