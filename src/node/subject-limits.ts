/**
 * Bounds of what becomes part of a subject. A server closes the connection on a protocol line of more than 4096 bytes
 * (`max_control_line`), the node's own one as well.
 */

/** Longest namespace, workload name, bucket or JetStream domain, in bytes. */
export const MAX_TOKEN_BYTES = 255;
/** Longest subject or object key, in bytes. */
export const MAX_SUBJECT_BYTES = 1024;
/** Longest reply subject that is answered, in bytes: with headers the answer's line is longer than the request's. */
export const MAX_REPLY_BYTES = 3072;

/** Whether the text, in UTF-8, is not longer. */
export function fitsBytes(text: string, maxBytes: number): boolean {
  return text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes;
}
