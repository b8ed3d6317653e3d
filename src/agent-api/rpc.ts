import { ERROR_HEADER } from "./link-headers.ts";
import type { LinkHeaders, LinkReply, LinkResponse } from "./link.ts";

/** Header of a reply: decimal status; anything but 200 is an error. */
const RPC_CODE_HEADER = "x-nex-hs-code";
/** Header of a reply: text that belongs to the status. */
const RPC_MESSAGE_HEADER = "x-nex-hs-msg";

/** Header of a request: the answer is of no use after so many milliseconds, decimal. */
const RPC_TIMEOUT_HEADER = "x-nex-hs-timeout-ms";

/** Headers of a call that has only so much time. */
export function withRpcTimeout(headers: LinkHeaders, timeoutMs: number): LinkHeaders {
  const timed: Record<string, string> = { ...headers };
  timed[RPC_TIMEOUT_HEADER] = String(Math.max(1, Math.ceil(timeoutMs)));
  return timed;
}

/** The time that the caller gives a call; undefined when it did not say. */
export function rpcTimeoutMs(headers: LinkHeaders): number | undefined {
  const text = headers[RPC_TIMEOUT_HEADER];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** Result of a host service call (protocol.md 6.1). */
export interface RpcResult {
  /** 200, or an error. */
  readonly code: number;
  readonly message: string;
  /** Empty for an error. */
  readonly body: Uint8Array;
}

const OK_HEADERS: LinkHeaders = Object.freeze({ [RPC_CODE_HEADER]: "200", [RPC_MESSAGE_HEADER]: "OK" });

/** A result as a link reply. */
export function encodeRpcResult({ code, message, body }: RpcResult): LinkReply {
  if (code === 200 && message === "OK") return { headers: OK_HEADERS, body };
  const headers = { [RPC_CODE_HEADER]: String(code), [RPC_MESSAGE_HEADER]: message };
  return code === 200 ? { headers, body } : { headers };
}

/** Reads a result. A reply without a status, or of a handler that failed, is an error 500. */
export function parseRpcResult(response: LinkResponse): RpcResult {
  const status = response.headers[RPC_CODE_HEADER];
  if (status !== "200" && (status === undefined || !/^\d{3}$/.test(status))) {
    const message = response.headers[ERROR_HEADER] ?? "Malformed reply of the host service";
    return { code: 500, message, body: new Uint8Array(0) };
  }
  return { code: Number(status), message: response.headers[RPC_MESSAGE_HEADER] ?? "", body: response.body };
}
