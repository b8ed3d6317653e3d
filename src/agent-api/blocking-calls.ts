/**
 * Requests to the node that the calling thread waits for, over a stream of their own whose other end is a link
 * (`ipc-link.ts`). The kernel wakes this very thread when the answer is there; nothing else of the process runs meanwhile.
 *
 * B1 one request at a time; it ends with its reply or with an error, and with LINK_CLOSED once the node has gone or
 *    closed the stream. How long the node takes is the node's business: there is no time limit here
 * B2 an answer that is malformed is skipped, one that cannot be delimited ends the stream, as with a link
 */
import { readSync, writeSync } from "node:fs";
import { NexError, errorText } from "../lib/errors.ts";
import { FrameReader } from "./frame-reader.ts";
import { FRAME_KIND, encodeFrame, renumberFrame } from "./frame.ts";
import type { FrameHead } from "./frame.ts";
import type { LinkHeaders, LinkResponse } from "./link.ts";

/** The agent's end. */
export interface BlockingCalls {
  /**
   * Sends a request and waits for its reply (B1).
   *
   * @throws {NexError} `LINK_CLOSED`, `LINK_NO_RESPONDERS` or `LINK_MESSAGE_TOO_LARGE`
   */
  request(subject: string, body: Uint8Array, headers: LinkHeaders): LinkResponse;
}

const CHUNK_BYTES = 64 * 1024;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** Requests over a descriptor that blocks: a socket that nobody has made non-blocking. */
export function createBlockingCalls(descriptor: number): BlockingCalls {
  return new DescriptorCalls(descriptor);
}

class DescriptorCalls implements BlockingCalls {
  readonly #descriptor: number;
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  readonly #reader = new FrameReader((head, body) => this.#receive(head, body), {
    maxBodyBytes: MAX_BODY_BYTES,
    repeated: FRAME_KIND.reply,
  });
  /** The last request without a body, which often is the next one, too. */
  #last: { readonly subject: string; readonly headers: LinkHeaders; readonly frame: Buffer } | undefined;
  #lastId = 0;
  #reply: { readonly head: FrameHead; readonly body: Uint8Array } | undefined;
  /** Why nothing can be asked any more. */
  #closed: string | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  request(subject: string, body: Uint8Array, headers: LinkHeaders): LinkResponse {
    this.#lastId = this.#lastId === 0xffffffff ? 1 : this.#lastId + 1;
    this.#reply = undefined;
    this.#write(this.#frame(subject, body, headers));
    while (this.#closed === undefined && this.#reply === undefined) this.#read();
    // Set by `#receive`, which the checker does not see.
    const reply = this.#reply as { readonly head: FrameHead; readonly body: Uint8Array } | undefined;
    if (reply === undefined) throw failed("LINK_CLOSED", subject, this.#closed ?? "the node has gone");
    if (reply.head.kind === FRAME_KIND.noResponders)
      throw failed("LINK_NO_RESPONDERS", subject, "nobody handles it at the other side");
    return { headers: reply.head.headers, body: reply.body };
  }

  #frame(subject: string, body: Uint8Array, headers: LinkHeaders): Buffer {
    const last = body.length === 0 ? this.#last : undefined;
    if (last?.subject === subject && areSame(last.headers, headers)) {
      renumberFrame(last.frame, this.#lastId);
      return last.frame;
    }
    const head = { kind: FRAME_KIND.request, id: this.#lastId, subject, headers };
    const frame = encodeFrame(head, body, MAX_BODY_BYTES);
    if (frame === undefined)
      throw failed("LINK_MESSAGE_TOO_LARGE", subject, `the message (${body.length} bytes) is too large`);
    if (body.length === 0) this.#last = { subject, headers, frame };
    return frame;
  }

  #write(frame: Buffer): void {
    try {
      for (let at = 0; at < frame.length && this.#closed === undefined;)
        at += writeSync(this.#descriptor, frame, at);
    } catch (error) {
      this.#closed = errorText(error);
    }
  }

  #read(): void {
    try {
      const count = readSync(this.#descriptor, this.#chunk, 0, CHUNK_BYTES, null);
      if (count === 0) this.#closed = "the node has gone";
      else if (!this.#reader.push(this.#chunk.subarray(0, count)))
        this.#closed = "the node sent what is not a message";
    } catch (error) {
      if (!isInterruption(error)) this.#closed = errorText(error);
    }
  }

  #receive(head: FrameHead, body: Uint8Array): void {
    if (head.kind === FRAME_KIND.close) this.#closed = "the node closed the stream";
    const answers = head.kind === FRAME_KIND.reply || head.kind === FRAME_KIND.noResponders;
    if (answers && head.id === this.#lastId) this.#reply = { head, body };
  }
}

function areSame(one: LinkHeaders, other: LinkHeaders): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

function isInterruption(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EINTR";
}

function failed(
  code: "LINK_CLOSED" | "LINK_NO_RESPONDERS" | "LINK_MESSAGE_TOO_LARGE",
  subject: string,
  reason: string,
): NexError {
  return new NexError({ code, message: `Cannot send "${subject}": ${reason}` });
}
