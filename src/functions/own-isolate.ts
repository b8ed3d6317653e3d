import type { Isolate, IsolateEngine } from "./isolate-engine.ts";

const MIN_HEAP_MIB = 8;

export interface OwnIsolateOptions {
  readonly engine: IsolateEngine;
  readonly heapMiB: number;
  /** The engine has given up: nothing in the process can be relied on. */
  readonly onCatastrophicError: (reason: string) => void;
}

/** The isolate of a function: one at a time, made when there is none. */
export class OwnIsolate {
  readonly #options: OwnIsolateOptions;
  #isolate: Isolate | undefined;

  constructor(options: OwnIsolateOptions) {
    this.#options = options;
  }

  /** The present one, or a new one. */
  open(): Isolate {
    const { engine, heapMiB, onCatastrophicError } = this.#options;
    return (this.#isolate ??= new engine.Isolate({
      memoryLimit: Math.max(MIN_HEAP_MIB, heapMiB),
      onCatastrophicError,
    }));
  }

  /** Whether there is none. */
  get isGone(): boolean {
    return this.#isolate === undefined;
  }

  /** Whether the present one has ended, by itself or by {@link dispose}. */
  get isDisposed(): boolean {
    return this.#isolate?.isDisposed === true;
  }

  /** Ends what runs in it, on whatever thread. */
  dispose(): void {
    try {
      this.#isolate?.dispose();
    } catch {
      // It has ended already.
    }
  }

  /** The next one is a new one. */
  forget(): void {
    this.#isolate = undefined;
  }
}
