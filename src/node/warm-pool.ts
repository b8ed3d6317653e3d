/**
 * The warm pool: idle agents, started and handshaken before anybody needs them.
 *
 * P1 an agent is handed out only after its handshake, and to one taker
 * P2 an agent that is kept by its taker, or ends, is replaced at once; one that is given back was never replaced, and is let
 *    go when the pool is full without it. Failing starts back off (up to 10 s) and never stop trying
 * P3 a taker waits while the pool is empty, first come first served, at most `waitMs`
 * P4 starts run side by side: as many as idle agents and takers are missing, at most `MAX_CONCURRENT_STARTS`
 */
import { availableParallelism } from "node:os";
import { backOffDelayMs } from "../lib/back-off.ts";
import { NexError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";

const MAX_CONCURRENT_STARTS = Math.max(2, availableParallelism());
const BACK_OFF = { initialMs: 250, maxMs: 10_000, jitter: 0.2 };

export interface WarmPoolOptions<T> {
  /** Idle agents to keep ready. */
  readonly size: number;
  /** Starts one agent; resolves once it is handshaken. */
  readonly start: (signal: AbortSignal) => Promise<T>;
  /** Called with an agent that is one too many, and no longer the pool's. */
  readonly onSurplus: (item: T) => void;
  readonly logger: Logger;
}

interface Taker<T> {
  readonly resolve: (item: T) => void;
  readonly reject: (error: NexError) => void;
  readonly timer: NodeJS.Timeout;
}

export class WarmPool<T> {
  readonly #options: WarmPoolOptions<T>;
  readonly #idle: T[] = [];
  /** Taken, and neither kept nor given back. */
  readonly #held = new Set<T>();
  readonly #takers: Taker<T>[] = [];
  readonly #closing = new AbortController();
  readonly #starts = new Set<Promise<void>>();
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #lastFailure: unknown;

  constructor(options: WarmPoolOptions<T>) {
    this.#options = options;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /**
   * Starts filling the pool; resolves once the first agent is idle. The pool is closed when `signal` fires before that.
   *
   * @throws whatever the first start failed with
   */
  async open(signal?: AbortSignal): Promise<void> {
    const abort = (): void => this.#closing.abort();
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      await this.#startOne();
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    if (this.#lastFailure !== undefined) throw this.#lastFailure;
    this.#refill();
  }

  /**
   * Takes an idle agent (P1, P3), to `keep` it or to `putBack`.
   *
   * @throws {NexError} `POOL_EMPTY` when none became idle within `waitMs`, or when the pool is closed
   */
  async take(waitMs: number): Promise<T> {
    const item = this.#idle.shift();
    if (item !== undefined) {
      this.#held.add(item);
      return item;
    }
    if (this.#closing.signal.aborted) throw poolEmpty("the node is shutting down");
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => {
      this.#removeTaker(timer);
      reject(poolEmpty(this.#lastFailure === undefined ? undefined : errorText(this.#lastFailure)));
    }, waitMs);
    this.#takers.push({ resolve, reject, timer });
    this.#refill();
    return promise;
  }

  /** Takes an agent for good if one is idle, for those who can do without. */
  takeIdle(): T | undefined {
    const item = this.#idle.shift();
    if (item !== undefined) this.#refill();
    return item;
  }

  /** Says that a taken agent will be used. */
  keep(item: T): void {
    if (this.#held.delete(item)) this.#refill();
  }

  /** Gives back an agent that was taken and not used. */
  putBack(item: T): void {
    this.#held.delete(item);
    this.#offer(item);
  }

  /** Forgets an agent that ended, and replaces it unless that was done when it was kept. */
  remove(item: T): void {
    const index = this.#idle.indexOf(item);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#held.delete(item);
    this.#refill();
  }

  /** Stops refilling, and fails waiting takers and starts under way. */
  shut(): void {
    this.#closing.abort();
    clearTimeout(this.#retryTimer);
    for (const taker of this.#takers.splice(0)) {
      clearTimeout(taker.timer);
      taker.reject(poolEmpty("the node is shutting down"));
    }
  }

  /** Shuts it, waits for starts under way, and returns the agents that are left. */
  async close(): Promise<T[]> {
    this.shut();
    await Promise.allSettled(this.#starts);
    return this.#idle.splice(0);
  }

  #refill(): void {
    if (this.#closing.signal.aborted || this.#retryTimer !== undefined) return;
    const present = this.#idle.length + this.#held.size + this.#starts.size;
    const missing = this.#options.size + this.#takers.length - present;
    const free = MAX_CONCURRENT_STARTS - this.#starts.size;
    for (let i = 0; i < Math.min(missing, free); i++) void this.#startOne();
  }

  async #startOne(): Promise<void> {
    const start = this.#options.start(this.#closing.signal).then(
      (item) => {
        this.#failures = 0;
        this.#lastFailure = undefined;
        this.#offer(item);
      },
      (error: unknown) => this.#startFailed(error),
    );
    this.#starts.add(start);
    await start;
    this.#starts.delete(start);
    this.#refill();
  }

  #startFailed(error: unknown): void {
    this.#lastFailure = error;
    if (this.#closing.signal.aborted) return;
    this.#failures += 1;
    const delayMs = Math.round(backOffDelayMs(BACK_OFF, this.#failures));
    this.#options.logger.warn("Cannot start an agent", { error: errorText(error), retry_ms: delayMs });
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#refill();
    }, delayMs);
  }

  #offer(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) {
      if (this.#idle.length < this.#options.size) this.#idle.push(item);
      else this.#options.onSurplus(item);
      return;
    }
    clearTimeout(taker.timer);
    this.#held.add(item);
    taker.resolve(item);
  }

  #removeTaker(timer: NodeJS.Timeout): void {
    const index = this.#takers.findIndex((taker) => taker.timer === timer);
    if (index >= 0) this.#takers.splice(index, 1);
  }
}

function poolEmpty(detail: string | undefined): NexError {
  return new NexError({
    code: "POOL_EMPTY",
    message: `no available agent client in pool${detail === undefined ? "" : ` (${detail})`}`,
  });
}
