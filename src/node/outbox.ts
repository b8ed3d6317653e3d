/**
 * What a node publishes by itself on the control connection: events and log lines. The client library keeps whatever it is
 * given until the server takes it; here that is bounded.
 *
 * O1 at most `MAX_UNCONFIRMED_BYTES` are given to the library and not confirmed by the server; while that is reached, or the
 *    connection is down, messages are refused
 * O2 essential messages (the life of nodes and workloads) wait instead, at most `MAX_WAITING` of them, and go out in order
 *    once the connection is back
 * O3 nothing is sent twice: what was given to the library when the connection broke may be lost
 */
import type { NatsConnection } from "@nats-io/transport-node";

const MIB = 1024 * 1024;
const MAX_UNCONFIRMED_BYTES = 4 * MIB;
/** Few messages need no confirmation: they fit into any buffer. */
const CONFIRM_FROM_BYTES = MIB / 4;
const MAX_WAITING = 4096;
/** What a message takes besides its payload. */
const OVERHEAD_BYTES = 256;
/** How long the last essential messages have to leave. */
const CLOSE_MS = 1000;

export interface Outbox extends AsyncDisposable {
  /** False when the message was refused (O1). Never throws. */
  publish(subject: string, payload: Uint8Array, options?: { readonly essential?: boolean }): boolean;
  /** Undefined while messages are taken; else resolves once they are again. */
  room(): Promise<void> | undefined;
}

export function createOutbox(connection: NatsConnection): Outbox {
  return new BoundedOutbox(connection);
}

interface Waiting {
  readonly subject: string;
  readonly payload: Uint8Array;
}

class BoundedOutbox implements Outbox {
  readonly #connection: NatsConnection;
  readonly #waiting: Waiting[] = [];
  #unconfirmedBytes = 0;
  #confirming = false;
  #isUp = true;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    void this.#watch();
  }

  publish(subject: string, payload: Uint8Array, { essential = false } = {}): boolean {
    if (this.#connection.isClosed()) return false;
    if (this.#isOpen() && this.#waiting.length === 0) return this.#hand({ subject, payload });
    if (!essential || this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push({ subject, payload });
    return true;
  }

  room(): Promise<void> | undefined {
    if (this.#isOpen() || this.#connection.isClosed()) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#waiting.length === 0 || !this.#isUp) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([this.room(), promise]);
    clearTimeout(timer);
  }

  #isOpen(): boolean {
    return this.#isUp && this.#unconfirmedBytes < MAX_UNCONFIRMED_BYTES;
  }

  #hand({ subject, payload }: Waiting): boolean {
    try {
      this.#connection.publish(subject, payload);
    } catch {
      // Closing, or larger than the server takes.
      return false;
    }
    this.#unconfirmedBytes += payload.length + OVERHEAD_BYTES;
    if (this.#unconfirmedBytes >= CONFIRM_FROM_BYTES) void this.#confirm();
    return true;
  }

  /** One round trip at a time: what was handed over before it has been read by the server after it. */
  async #confirm(): Promise<void> {
    if (this.#confirming || !this.#isUp) return;
    this.#confirming = true;
    const bytes = this.#unconfirmedBytes;
    try {
      await this.#connection.flush();
    } catch {
      // The connection broke: gone as well.
    }
    this.#unconfirmedBytes = Math.max(0, this.#unconfirmedBytes - bytes);
    this.#confirming = false;
    this.#proceed();
    if (this.#unconfirmedBytes >= CONFIRM_FROM_BYTES) void this.#confirm();
  }

  /** Sends what waits and lets callers go on, as far as there is room. */
  #proceed(): void {
    while (this.#isOpen()) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#hand(next);
    }
    if (!this.#isOpen() && !this.#connection.isClosed()) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect") {
        this.#isUp = false;
      } else if (type === "reconnect") {
        this.#isUp = true;
        this.#unconfirmedBytes = 0;
        this.#proceed();
      }
    }
    this.#room?.resolve();
  }
}
