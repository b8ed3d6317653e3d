/**
 * A link message as bytes, for links over a byte stream. All numbers are big-endian.
 *
 *     u32 head length │ u32 body length │ head │ body
 *     head: u8 kind │ u32 request id │ u16 subject length │ subject │ name 0 value 0 name 0 value 0 …
 */
import { singleLine } from "./header-text.ts";
import type { LinkHeaders } from "./link.ts";

/** What a frame is; `close` announces that its sender closes the link. */
export const FRAME_KIND = { request: 1, reply: 2, publish: 3, noResponders: 4, close: 5 } as const;

export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND];

/** A frame without its body. `id` connects a reply with its request; 0 where there is none. */
export interface FrameHead {
  readonly kind: FrameKind;
  readonly id: number;
  readonly subject: string;
  readonly headers: LinkHeaders;
}

/** Bytes of the two lengths that every frame starts with. */
export const PREFIX_BYTES = 8;
/** Longest head that is sent or accepted, in bytes. */
export const MAX_HEAD_BYTES = 256 * 1024;

const FIXED_HEAD_BYTES = 7;
/** Where the subject's length lies, from which on heads are compared. */
const TEXT_OFFSET = 5;
const MAX_SUBJECT_BYTES = 0xffff;
const MAX_HEADERS = 256;
const NO_HEADERS: LinkHeaders = Object.freeze({});
const NO_BODY = new Uint8Array(0);

/**
 * The frame in one buffer of its own; the body is copied. Undefined when head or body exceed their limit. Characters
 * that a header cannot carry (line ends, NUL) become spaces.
 */
export function encodeFrame(
  head: FrameHead,
  body: Uint8Array = NO_BODY,
  maxBodyBytes = Infinity,
): Buffer | undefined {
  const headers = head.headers === NO_HEADERS ? "" : knownHeaderText(head.headers);
  const subjectBytes = Buffer.byteLength(head.subject);
  const headBytes = FIXED_HEAD_BYTES + subjectBytes + (headers === "" ? 0 : Buffer.byteLength(headers));
  if (subjectBytes > MAX_SUBJECT_BYTES || headBytes > MAX_HEAD_BYTES || body.length > maxBodyBytes)
    return undefined;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + headBytes + body.length);
  frame.writeUInt32BE(headBytes, 0);
  frame.writeUInt32BE(body.length, 4);
  frame.writeUInt8(head.kind, 8);
  frame.writeUInt32BE(head.id, 9);
  frame.writeUInt16BE(subjectBytes, 13);
  frame.write(head.subject, PREFIX_BYTES + FIXED_HEAD_BYTES);
  if (headers !== "") frame.write(headers, PREFIX_BYTES + FIXED_HEAD_BYTES + subjectBytes);
  frame.set(body, PREFIX_BYTES + headBytes);
  return frame;
}

/** Gives an encoded frame another request id. */
export function renumberFrame(frame: Buffer, id: number): void {
  frame.writeUInt32BE(id, PREFIX_BYTES + 1);
}

/** Reads the head in `bytes[start, end)`; undefined when it is malformed. */
export type DecodeHead = (bytes: Buffer, start: number, end: number) => FrameHead | undefined;

/**
 * For one stream: a frame of the kind `repeated` often has subject and headers of the one before, which then are not read
 * again.
 */
export function createHeadDecoder(repeated: FrameKind): DecodeHead {
  let last: { readonly bytes: Buffer; readonly text: HeadText } | undefined;
  return (bytes, start, end) => {
    if (end - start < FIXED_HEAD_BYTES) return undefined;
    const kind = frameKind(bytes.readUInt8(start));
    if (kind === undefined) return undefined;
    const id = bytes.readUInt32BE(start + 1);
    const textStart = start + TEXT_OFFSET;
    if (kind !== repeated) {
      const text = decodeText(bytes, textStart, end);
      return text === undefined ? undefined : { kind, id, subject: text.subject, headers: text.headers };
    }
    if (last === undefined || bytes.compare(last.bytes, 0, last.bytes.length, textStart, end) !== 0) {
      const text = decodeText(bytes, textStart, end);
      if (text === undefined) return undefined;
      last = { bytes: Buffer.from(bytes.subarray(textStart, end)), text };
    }
    return { kind, id, subject: last.text.subject, headers: last.text.headers };
  };
}

type HeadText = Pick<FrameHead, "subject" | "headers">;

/** Subject and headers in `bytes[start, end)`, which begins with the length of the subject. */
function decodeText(bytes: Buffer, start: number, end: number): HeadText | undefined {
  const subjectStart = start + 2;
  const subjectEnd = subjectStart + bytes.readUInt16BE(start);
  if (subjectEnd > end) return undefined;
  const headers = subjectEnd === end ? NO_HEADERS : parseHeaders(bytes.toString("utf8", subjectEnd, end));
  if (headers === undefined) return undefined;
  return { subject: bytes.toString("utf8", subjectStart, subjectEnd), headers };
}

function frameKind(value: number): FrameKind | undefined {
  switch (value) {
    case FRAME_KIND.request:
    case FRAME_KIND.reply:
    case FRAME_KIND.publish:
    case FRAME_KIND.noResponders:
    case FRAME_KIND.close:
      return value;
    default:
      return undefined;
  }
}

/** Headers that cannot change and are sent again and again are written once. */
let known: { readonly headers: LinkHeaders; readonly text: string } | undefined;

function knownHeaderText(headers: LinkHeaders): string {
  if (known?.headers === headers) return known.text;
  const text = headerText(headers);
  if (Object.isFrozen(headers)) known = { headers, text };
  return text;
}

function headerText(headers: LinkHeaders): string {
  let text = "";
  for (const name of Object.keys(headers))
    text += `${singleLine(name)}\0${singleLine(headers[name] ?? "")}\0`;
  return text;
}

function parseHeaders(text: string): LinkHeaders | undefined {
  const parts = text.split("\0", 2 * MAX_HEADERS + 2);
  // Every value ends with a NUL, so the last part is empty and the count is odd.
  if (parts.length % 2 === 0 || parts.at(-1) !== "") return undefined;
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const name = parts[index] ?? "";
    if (name !== "" && name !== "__proto__") headers[name] = parts[index + 1] ?? "";
  }
  return Object.freeze(headers);
}
