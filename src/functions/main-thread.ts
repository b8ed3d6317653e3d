import { startIsolateGuard } from "./isolate-guard.ts";
import type { IsolateGuard } from "./isolate-guard.ts";
import type { Isolate, IsolateEngine } from "./isolate-engine.ts";
import { startWatchdog } from "./watchdog.ts";
import type { Watchdog, WatchdogLimits } from "./watchdog.ts";

/** The thread of the agent that functions without one of their own run on, watched over. */
export interface MainThread {
  /** Enters the isolate on the calling thread. */
  run<T>(turn: () => T): T;
  /**
   * Waits for the host in the middle of a turn. `call` is told how many milliseconds the invocation has left. When none are
   * left afterwards, nothing of the function runs on.
   */
  wait<T>(call: (leftMs: number) => T): T;
}

/** As the owner of the function sees it. */
export class WatchedThread implements MainThread {
  readonly #onOverdue: () => void;
  #watchdog: Watchdog | undefined;
  #guard: IsolateGuard | undefined;
  #deadline = Infinity;

  /** `onOverdue` is called in the middle of a turn or at its end: it must make the engine end it, unless it has ended. */
  constructor(onOverdue: () => void) {
    this.#onOverdue = onOverdue;
  }

  /** From now on a turn in the isolate ends in time, and the process when that does not work. */
  async watch(engine: IsolateEngine, isolate: Isolate, limits: WatchdogLimits): Promise<void> {
    this.#watchdog ??= startWatchdog(limits);
    const { cells, signalAt } = this.#watchdog;
    this.#guard ??= await startIsolateGuard(engine, cells, signalAt);
    await this.#guard.watch(isolate);
  }

  /** An invocation starts that may take so long. */
  begin(timeoutMs: number): void {
    this.#deadline = performance.now() + timeoutMs;
  }

  run<T>(turn: () => T): T {
    this.#watchdog?.enter();
    try {
      return turn();
    } finally {
      if (this.#watchdog?.leave() === true) this.#onOverdue();
    }
  }

  wait<T>(call: (leftMs: number) => T): T {
    this.#watchdog?.wait(true);
    try {
      return call(this.#deadline - performance.now());
    } finally {
      this.#watchdog?.wait(false);
      if (performance.now() >= this.#deadline) this.#onOverdue();
    }
  }

  stop(): void {
    this.#watchdog?.stop();
    this.#guard?.stop();
  }
}
