/**
 * The link between a node and an agent that is its child process, over any byte stream between the two. Both ends run
 * this code. See `frame.ts` for the bytes; L1 to L6 are in `link.ts`.
 *
 * I1 the other side may be hostile: a malformed frame is skipped, one that cannot be delimited ends the link; what
 *    it makes us keep is bounded by `maxMessageBytes`, `maxQueuedBytes` and `maxConcurrent`
 * I2 nothing of the stream reaches the event loop as an exception: once it fails the link is `lost`, with the reason
 * I3 the messages of one turn cost one write, and no promise beyond those the caller and the handler make
 */
import type { Duplex } from "node:stream";
import type { NexError } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { silentLogger } from "../lib/logger.ts";
import { FrameReader } from "./frame-reader.ts";
import { FRAME_KIND, encodeFrame } from "./frame.ts";
import type { FrameHead, FrameKind } from "./frame.ts";
import { HandlerRunner } from "./handler-runner.ts";
import { cannotSend, linkClosed } from "./link-errors.ts";
import { ERROR_HEADER } from "./link-headers.ts";
import type {
  Link,
  LinkEnd,
  LinkHandler,
  LinkHeaders,
  LinkReply,
  LinkRequestOptions,
  LinkResponse,
} from "./link.ts";
import { PendingRequests } from "./pending-requests.ts";

export interface IpcLinkOptions {
  readonly logger?: Logger;
  /** Largest body, in bytes, either way. Default 64 MiB, the most a NATS server can be configured for. */
  readonly maxMessageBytes?: number;
  /** Most bytes that wait to be sent when the other side does not read. Default 128 MiB. */
  readonly maxQueuedBytes?: number;
  /** Most messages of the other side that are being handled at once. Default 4096. */
  readonly maxConcurrent?: number;
}

/**
 * A link over `channel`, which it owns from now on. Messages arrive from the next turn of the event loop on: register
 * handlers at once.
 */
export function createIpcLink(channel: Duplex, options: IpcLinkOptions = {}): Link {
  return new IpcLink(channel, options);
}

const MIB = 1024 * 1024;
/** Frames from this size on are written by themselves rather than copied together with others, in bytes. */
const LARGE_FRAME = 16_384;
/** Frames that wait for each other are written at this size at the latest, in bytes. */
const MAX_TOGETHER = 65_536;
const NO_HEADERS: LinkHeaders = Object.freeze({});
const NO_BODY = new Uint8Array(0);
/** How long the other side may take to read what is still to be sent and to close as well. */
const LEAVE_MS = 1000;

class IpcLink implements Link {
  readonly closed: Promise<LinkEnd>;
  readonly #channel: Duplex;
  readonly #logger: Logger;
  readonly #maxMessageBytes: number;
  readonly #maxQueuedBytes: number;
  readonly #handlers: HandlerRunner;
  readonly #pending = new PendingRequests();
  readonly #channelClosed = Promise.withResolvers<void>();
  readonly #resolveClosed: (end: LinkEnd) => void;
  #end: LinkEnd | undefined;
  /** Frames of this turn (I3). */
  #together: Buffer[] = [];
  #togetherBytes = 0;

  constructor(channel: Duplex, options: IpcLinkOptions) {
    this.#channel = channel;
    this.#logger = options.logger ?? silentLogger;
    this.#maxMessageBytes = options.maxMessageBytes ?? 64 * MIB;
    this.#maxQueuedBytes = options.maxQueuedBytes ?? 128 * MIB;
    this.#handlers = new HandlerRunner(options.maxConcurrent);
    const { promise, resolve } = Promise.withResolvers<LinkEnd>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#listen();
  }

  request(subject: string, body: Uint8Array, options: LinkRequestOptions): Promise<LinkResponse> {
    if (this.#end !== undefined) return Promise.reject(linkClosed(subject, this.#end));
    const id = this.#pending.nextId();
    const headers = options.headers ?? NO_HEADERS;
    const refusal = this.#send({ kind: FRAME_KIND.request, id, subject, headers }, body);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#pending.add(id, subject, options.timeoutMs);
  }

  publish(subject: string, body: Uint8Array, headers: LinkHeaders = NO_HEADERS): void {
    if (this.#end !== undefined) return;
    const refusal = this.#send({ kind: FRAME_KIND.publish, id: 0, subject, headers }, body);
    if (refusal !== undefined)
      this.#logger.warn("Dropped a message to the other side", { reason: refusal.message });
  }

  handle(pattern: string, handler: LinkHandler): Disposable {
    return this.#handlers.add(pattern, handler);
  }

  async close(): Promise<void> {
    if (this.#end === undefined) {
      const frame = encodeFrame({ kind: FRAME_KIND.close, id: 0, subject: "", headers: NO_HEADERS });
      this.#finish({ kind: "closed" });
      this.#leave(frame);
    }
    await this.#channelClosed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #listen(): void {
    const channel = this.#channel;
    if (channel.destroyed) {
      this.#channelClosed.resolve();
      this.#finish({ kind: "lost", reason: "the channel is closed" });
      return;
    }
    const reader = new FrameReader((head, body) => this.#receive(head, body), {
      maxBodyBytes: this.#maxMessageBytes,
    });
    channel.on("error", (error) => this.#lose(error.message));
    channel.on("end", () => this.#lose("the other side went away"));
    channel.on("close", () => {
      this.#channelClosed.resolve();
      this.#lose("the channel closed");
    });
    channel.on("data", (chunk: Buffer) => {
      if (this.#end === undefined && !reader.push(chunk))
        this.#lose("the other side sent what is not a message");
    });
  }

  /** Writes a frame. Returns why it was not sent. */
  #send(head: FrameHead, body: Uint8Array): NexError | undefined {
    if (this.#channel.writableLength + this.#togetherBytes > this.#maxQueuedBytes) {
      return cannotSend("LINK_CONGESTED", head.subject, "the other side does not read");
    }
    const frame = encodeFrame(head, body, this.#maxMessageBytes);
    if (frame === undefined) {
      return cannotSend(
        "LINK_MESSAGE_TOO_LARGE",
        head.subject,
        `the message (${body.length} bytes) is too large`,
      );
    }
    this.#write(frame);
    return undefined;
  }

  #write(frame: Buffer): void {
    if (frame.length >= LARGE_FRAME) {
      this.#flush();
      this.#channel.write(frame);
      return;
    }
    if (this.#togetherBytes + frame.length > MAX_TOGETHER) this.#flush();
    if (this.#together.length === 0) process.nextTick(this.#flush);
    this.#together.push(frame);
    this.#togetherBytes += frame.length;
  }

  readonly #flush = (): void => {
    const frames = this.#together;
    const [first] = frames;
    if (first === undefined) return;
    this.#together = [];
    this.#channel.write(frames.length === 1 ? first : Buffer.concat(frames, this.#togetherBytes));
    this.#togetherBytes = 0;
  };

  #receive(head: FrameHead, body: Uint8Array): void {
    if (this.#end !== undefined) return;
    switch (head.kind) {
      case FRAME_KIND.request:
      case FRAME_KIND.publish:
        this.#dispatch(head, body);
        return;
      case FRAME_KIND.reply:
        this.#pending.reply(head.id, { headers: head.headers, body });
        return;
      case FRAME_KIND.noResponders:
        this.#pending.noResponders(head.id);
        return;
      case FRAME_KIND.close:
        this.#finish({ kind: "lost", reason: "the other side closed the link" });
        this.#leave();
        return;
    }
  }

  #dispatch(head: FrameHead, body: Uint8Array): void {
    const { subject, headers } = head;
    this.#handlers.run({ subject, headers, body }, (outcome) => {
      switch (outcome.kind) {
        case "answered":
          this.#answer(head, FRAME_KIND.reply, outcome.reply);
          return;
        case "unhandled":
          this.#answer(head, FRAME_KIND.noResponders);
          return;
        case "failed":
          this.#fail(head, outcome.message);
          return;
      }
    });
  }

  #answer(to: FrameHead, kind: FrameKind, reply?: LinkReply): void {
    if (to.kind !== FRAME_KIND.request || this.#end !== undefined) return;
    const head: FrameHead = { kind, id: to.id, subject: "", headers: reply?.headers ?? NO_HEADERS };
    const refusal = this.#send(head, reply?.body ?? NO_BODY);
    if (refusal === undefined) return;
    this.#logger.warn("Dropped a reply", { subject: to.subject, reason: refusal.message });
    if (refusal.code === "LINK_MESSAGE_TOO_LARGE") this.#fail(to, "the reply is too large");
  }

  /** Answers with the error (L6); a failed publish is told to the log only. */
  #fail(to: FrameHead, message: string): void {
    if (to.kind === FRAME_KIND.request) {
      this.#answer(to, FRAME_KIND.reply, { headers: { [ERROR_HEADER]: message } });
    } else {
      this.#logger.warn("Failed to handle a message", { subject: to.subject, error: message });
    }
  }

  #lose(reason: string): void {
    if (this.#end !== undefined) return;
    this.#finish({ kind: "lost", reason });
    this.#together = [];
    this.#channel.destroy();
  }

  /** Sends what is waiting and the end of the stream; it closes when the other side has ended it, too. */
  #leave(lastFrame?: Buffer): void {
    const timer = setTimeout(() => this.#channel.destroy(), LEAVE_MS);
    void this.#channelClosed.promise.then(() => clearTimeout(timer));
    this.#flush();
    this.#channel.end(lastFrame);
  }

  #finish(end: LinkEnd): void {
    this.#end = end;
    this.#pending.failAll((subject) => linkClosed(subject, end));
    this.#resolveClosed(end);
  }
}
