import { FRAME_KIND, MAX_HEAD_BYTES, PREFIX_BYTES, createHeadDecoder } from "./frame.ts";
import type { DecodeHead, FrameHead, FrameKind } from "./frame.ts";

/** Receives each well-formed frame; `body` is its own copy. */
export type FrameListener = (head: FrameHead, body: Uint8Array) => void;

const NO_BODY = new Uint8Array(0);

/**
 * Cuts a byte stream into frames. Each part of a frame (lengths, head, body) is gathered in memory of its final size,
 * so a body is copied once and nothing grows beyond what the lengths allow.
 */
export class FrameReader {
  readonly #onFrame: FrameListener;
  readonly #maxBodyBytes: number;
  readonly #decodeHead: DecodeHead;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #part: "prefix" | "head" | "body" = "prefix";
  #target: Uint8Array = this.#prefix;
  #filled = 0;
  #headBytes = 0;
  #bodyBytes = 0;
  /** Of the frame whose body is being read; undefined when it was malformed and the body is only skipped. */
  #head: FrameHead | undefined;

  /** `repeated`: frames of this kind are often alike but for their body. Default: requests. */
  constructor(
    onFrame: FrameListener,
    options: { readonly maxBodyBytes: number; readonly repeated?: FrameKind },
  ) {
    this.#onFrame = onFrame;
    this.#maxBodyBytes = options.maxBodyBytes;
    this.#decodeHead = createHeadDecoder(options.repeated ?? FRAME_KIND.request);
  }

  /**
   * Takes the next bytes of the stream and hands over the frames they complete. A malformed frame is skipped. False
   * when the lengths are beyond the limits: the stream cannot be read any further.
   */
  push(chunk: Buffer): boolean {
    let at = 0;
    for (;;) {
      if (this.#part === "prefix" && this.#filled === 0) {
        const next = this.#headInPlace(chunk, at);
        if (next === undefined) return false;
        at = next;
      }
      const taken = Math.min(this.#target.length - this.#filled, chunk.length - at);
      if (taken > 0) this.#target.set(chunk.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled < this.#target.length) return true;
      if (!this.#completePart()) return false;
    }
  }

  /** The usual case: lengths and head lie in one chunk. Returns where to go on, undefined when lengths are too large. */
  #headInPlace(chunk: Buffer, at: number): number | undefined {
    if (chunk.length - at < PREFIX_BYTES) return at;
    if (!this.#acceptLengths(chunk, at)) return undefined;
    const headStart = at + PREFIX_BYTES;
    const headEnd = headStart + this.#headBytes;
    if (headEnd > chunk.length) {
      this.#start("head", new Uint8Array(this.#headBytes));
      return headStart;
    }
    this.#startBody(this.#decodeHead(chunk, headStart, headEnd));
    return headEnd;
  }

  #completePart(): boolean {
    if (this.#part === "prefix") {
      if (!this.#acceptLengths(this.#prefix, 0)) return false;
      this.#start("head", new Uint8Array(this.#headBytes));
    } else if (this.#part === "head") {
      const bytes = Buffer.from(this.#target.buffer, this.#target.byteOffset, this.#target.length);
      this.#startBody(this.#decodeHead(bytes, 0, bytes.length));
    } else {
      const head = this.#head;
      const body = this.#target;
      this.#start("prefix", this.#prefix);
      this.#head = undefined;
      if (head !== undefined) this.#onFrame(head, body);
    }
    return true;
  }

  #acceptLengths(bytes: Buffer, at: number): boolean {
    this.#headBytes = bytes.readUInt32BE(at);
    this.#bodyBytes = bytes.readUInt32BE(at + 4);
    return this.#headBytes <= MAX_HEAD_BYTES && this.#bodyBytes <= this.#maxBodyBytes;
  }

  #startBody(head: FrameHead | undefined): void {
    this.#head = head;
    this.#start("body", this.#bodyBytes === 0 ? NO_BODY : new Uint8Array(this.#bodyBytes));
  }

  #start(part: "prefix" | "head" | "body", target: Uint8Array): void {
    this.#part = part;
    this.#target = target;
    this.#filled = 0;
  }
}
