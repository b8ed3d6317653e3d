import { ERROR_HEADER } from "./link-headers.ts";
import type { LinkHeaders, LinkMessage, LinkReply, LinkResponse } from "./link.ts";

/** Header of a trigger request: the actual subject of the message that triggers the function. */
const TRIGGER_SUBJECT_HEADER = "x-nex-trigger-subject";
/** Header of a trigger request: the longest reply that its caller can be sent, in bytes, decimal. */
const MAX_REPLY_HEADER = "x-nex-max-reply-bytes";
/** Header of a trigger reply: execution time in nanoseconds, decimal. */
const RUNTIME_HEADER = "x-nex-runtime-ns";

/** How an invocation ended, as the node learns it. A Go agent's WebAssembly results have no runtime: 0. */
export type TriggerReply =
  | { readonly kind: "succeeded"; readonly body: Uint8Array; readonly runtimeNs: number }
  | { readonly kind: "failed"; readonly message: string; readonly runtimeNs: number };

/** The last ones: messages often have the subject of the one before. */
let last:
  | { readonly subject: string; readonly maxReplyBytes: number | undefined; readonly headers: LinkHeaders }
  | undefined;

/** Headers of a trigger request. */
export function triggerHeaders(subject: string, maxReplyBytes?: number): LinkHeaders {
  if (last?.subject === subject && last.maxReplyBytes === maxReplyBytes) return last.headers;
  const headers: Record<string, string> = { [TRIGGER_SUBJECT_HEADER]: subject };
  if (maxReplyBytes !== undefined) headers[MAX_REPLY_HEADER] = String(maxReplyBytes);
  last = { subject, maxReplyBytes, headers: Object.freeze(headers) };
  return headers;
}

/** The subject that triggers the function; empty when the node did not say. */
export function triggerSubject(message: LinkMessage): string {
  return message.headers[TRIGGER_SUBJECT_HEADER] ?? "";
}

/** The reply as it is, or the failure of one that its caller cannot be sent: then it does not leave the agent. */
export function sendable(message: LinkMessage, reply: TriggerReply): TriggerReply {
  const limit = message.headers[MAX_REPLY_HEADER];
  if (reply.kind === "failed" || limit === undefined || !(reply.body.length > Number(limit))) return reply;
  const text = `cannot send the reply (${reply.body.length} bytes): the server takes ${limit} (max_payload)`;
  return { kind: "failed", message: text, runtimeNs: reply.runtimeNs };
}

/** The reply of an agent to a trigger (protocol.md 5.6). */
export function encodeTriggerReply(reply: TriggerReply): LinkReply {
  const headers: Record<string, string> = {};
  headers[RUNTIME_HEADER] = String(Math.max(0, Math.trunc(reply.runtimeNs)));
  if (reply.kind === "succeeded") return { headers, body: reply.body };
  headers[ERROR_HEADER] = reply.message;
  return { headers };
}

/** Reads an agent's reply: one with the error header is a failure, any other a success, also when it is empty. */
export function parseTriggerReply(response: LinkResponse): TriggerReply {
  const runtimeNs = parseRuntime(response.headers[RUNTIME_HEADER]);
  const message = response.headers[ERROR_HEADER];
  if (message !== undefined) return { kind: "failed", message, runtimeNs };
  return { kind: "succeeded", body: response.body, runtimeNs };
}

function parseRuntime(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
