/**
 * Runs one function inside one isolate and answers for F1, F2 and F4 of the function contract.
 *
 *   idle ── invoke ──> running ── reply ───────────────────────> idle
 *                        │ engine's own timeout ── new guest ──> idle
 *                        │ deadline: caller answered ── isolate idle in time? ── new guest ────> idle
 *                        │                              no: dispose ── gone? ── new isolate ──> idle
 *                        │                                              no: onFatal
 *                        └ memory: caller answered ── onFatal
 *
 * I1 the caller is answered at the deadline at the latest; `onFatal` comes after the answer, one turn of the event
 *    loop later, and at most {@link GRACE_MS} after the deadline
 * I2 the engine's timeout counts only running time and pauses in host calls, hence the deadline of our own; on the main
 *    thread the guard of `isolate-guard.ts` stands for it
 * I3 there is never more than one live isolate
 * I4 a function runs on the main thread, turn by turn, unless it waits for answers that the main thread has to fetch;
 *    a thread of its own (`watchdog.ts`) ends the process if that goes wrong, as the main thread cannot. A run that is
 *    past its deadline when the host answers is ended by the end of its isolate
 * I5 an answer leaves before the next run begins if its own run was long
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { errorText } from "../lib/errors.ts";
import type { FunctionSpec, InvocationOutcome, LoadedFunction } from "./function.ts";
import type { Guest, GuestReply, StartGuest } from "./guest.ts";
import type { IsolateEngine } from "./isolate-engine.ts";
import { WatchedThread } from "./main-thread.ts";
import { startMemoryWatch } from "./memory-watch.ts";
import type { MemoryWatch } from "./memory-watch.ts";
import { OwnIsolate } from "./own-isolate.ts";
import { DEADLINE, failureOf, MEMORY, outcomeOf, STOPPED } from "./run-end.ts";
import type { Failure, RunBounds, RunEnd } from "./run-end.ts";
import { within } from "./within.ts";

/** Time after the deadline until the process has to end. */
const GRACE_MS = 250;
const SETTLE_MS = 150;
/** A run is long when the answers of those before it must not wait for the next one (I5). */
const LONG_RUN_MS = 1;
const SLACK_MIB = 192;

/** An engine's part in a {@link LoadedFunction}. */
export interface IsolatedFunctionOptions {
  readonly spec: FunctionSpec;
  readonly engine: IsolateEngine;
  readonly engineName: RunBounds["engineName"];
  /** Heap of the isolate. */
  readonly heapMiB: number;
  /** Memory of the guest that the heap's limit does not cover. */
  readonly outsideHeapMiB: number;
  readonly startGuest: StartGuest;
}

interface Invocation {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly resolve: (outcome: InvocationOutcome) => void;
}

/** A run that goes on after its first turn. */
interface LongRun {
  readonly resolve: (outcome: InvocationOutcome) => void;
  readonly startedAt: number;
  readonly begun: Promise<GuestReply>;
}

/**
 * Creates the isolate and sets the function up in it.
 *
 * @throws {NexError} `FUNCTION_INVALID` from `startGuest`
 */
export async function startIsolatedFunction(options: IsolatedFunctionOptions): Promise<LoadedFunction> {
  const loaded = new IsolatedFunction(options);
  await loaded.start();
  return loaded;
}

class IsolatedFunction implements LoadedFunction {
  readonly #options: IsolatedFunctionOptions;
  readonly #bounds: RunBounds;
  readonly #growthMiB: number;
  readonly #waiting: Invocation[] = [];
  readonly #isolate: OwnIsolate;
  #guest: Guest | undefined;
  #watch: MemoryWatch | undefined;
  readonly #thread = new WatchedThread(() => this.#endOverdue());
  #working: Promise<void> | undefined;
  /** Ends the present run from outside of it. */
  #endRun: ((end: RunEnd) => void) | undefined;
  /** Set when nothing can run any more: what later callers are told. */
  #over: Failure | undefined;
  #fatal = false;

  constructor(options: IsolatedFunctionOptions) {
    this.#options = options;
    this.#bounds = { engineName: options.engineName, limits: options.spec.limits };
    this.#growthMiB = options.heapMiB + options.outsideHeapMiB + SLACK_MIB;
    this.#isolate = new OwnIsolate({
      engine: options.engine,
      heapMiB: options.heapMiB,
      onCatastrophicError: (reason) => {
        if (this.#endRun === undefined) this.#giveUp(reason, STOPPED);
        else this.#endRun({ kind: "memory", reason });
      },
    });
  }

  async start(): Promise<void> {
    this.#guest = await this.#startGuest();
    this.#watch = startMemoryWatch(this.#growthMiB, (grownMiB) =>
      this.#endRun?.({ kind: "memory", reason: `memory of the process grew by ${grownMiB} MiB` }),
    );
  }

  async #startGuest(): Promise<Guest> {
    const { engine, startGuest } = this.#options;
    const { timeoutMs: overdueMs } = this.#bounds.limits;
    const isolate = this.#isolate.open();
    const guest = await startGuest(isolate, this.#thread);
    if (guest.invokeHere === undefined) return guest;
    const limits = { overdueMs, runMs: overdueMs + GRACE_MS, growthMiB: this.#growthMiB };
    await this.#thread.watch(engine, isolate, limits);
    return guest;
  }

  invoke(subject: string, payload: Uint8Array): ReturnType<LoadedFunction["invoke"]> {
    const guest = this.#guest;
    if (this.#working === undefined && this.#over === undefined && guest?.invokeHere !== undefined) {
      return this.#serveHere(guest, subject, payload);
    }
    const { promise, resolve } = Promise.withResolvers<InvocationOutcome>();
    this.#waiting.push({ subject, payload, resolve });
    this.#working ??= this.#work();
    return promise;
  }

  /** The isolate is left to the garbage collector: disposing it shortly before the process exits can crash. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over ??= STOPPED;
    this.#endRun?.({ kind: "stopped" });
    await this.#working;
    this.#watch?.stop();
    this.#thread.stop();
    this.#guest?.release();
    this.#guest = undefined;
    this.#isolate.forget();
  }

  /** Runs on this thread (I4) if the function allows it, and starts to run it elsewhere if not. */
  #begin(guest: Guest, subject: string, payload: Uint8Array): RunEnd | Promise<GuestReply> {
    if (guest.invokeHere === undefined) return guest.invoke(subject, payload);
    const { invokeHere } = guest;
    this.#thread.begin(this.#bounds.limits.timeoutMs);
    try {
      const reply = this.#thread.run(() => invokeHere(subject, payload));
      return reply instanceof Promise ? reply : { kind: "replied", reply };
    } catch (error) {
      return { kind: "threw", error };
    }
  }

  /** A run takes too long, or has come back from the host too late: the engine ends what it still does (I4). */
  #endOverdue(): void {
    this.#isolate.dispose();
    this.#isolate.forget();
  }

  #serveHere(guest: Guest, subject: string, payload: Uint8Array): ReturnType<LoadedFunction["invoke"]> {
    const startedAt = performance.now();
    const begun = this.#begin(guest, subject, payload);
    if (begun instanceof Promise) {
      const { promise, resolve } = Promise.withResolvers<InvocationOutcome>();
      this.#working = this.#serve(guest, { resolve, startedAt, begun }).then(() => this.#work());
      return promise;
    }
    const { end, outcome, isLong } = this.#finish(begun, startedAt);
    if (end.kind !== "replied") {
      this.#working = this.#afterwards(guest, end, Promise.resolve()).then(() => this.#work());
    } else {
      this.#prepare(guest);
      if (isLong) this.#working = nextTurn().then(() => this.#work());
    }
    return outcome;
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const guest = this.#guest;
      if (this.#over !== undefined || guest === undefined) {
        next.resolve({ kind: "failed", ...(this.#over ?? STOPPED), runtimeNs: 0 });
        continue;
      }
      const startedAt = performance.now();
      const begun = this.#begin(guest, next.subject, next.payload);
      if (begun instanceof Promise) {
        await this.#serve(guest, { resolve: next.resolve, startedAt, begun });
        continue;
      }
      const { end, outcome, isLong } = this.#finish(begun, startedAt);
      next.resolve(outcome);
      if (end.kind === "replied") this.#prepare(guest);
      else await this.#afterwards(guest, end, Promise.resolve());
      if (isLong) await nextTurn();
    }
    this.#working = undefined;
  }

  /** What came of a run that ended within its first turn. */
  #finish(begun: RunEnd, startedAt: number) {
    const tookMs = performance.now() - startedAt;
    const end = this.#explain(begun);
    const outcome = outcomeOf(end, this.#bounds, Math.round(tookMs * 1e6));
    return { end, outcome, isLong: tookMs > LONG_RUN_MS };
  }

  /** Waits for a run that goes on after its first turn, until it ends in whatever way. */
  async #serve(guest: Guest, { resolve, startedAt, begun }: LongRun): Promise<void> {
    const { promise, resolve: endRun } = Promise.withResolvers<RunEnd>();
    const leftMs = this.#bounds.limits.timeoutMs - (performance.now() - startedAt);
    const deadline = setTimeout(endRun, Math.max(0, leftMs), DEADLINE);
    this.#endRun = endRun;
    this.#watch?.enter();
    const run = begun.then(
      (reply) => endRun({ kind: "replied", reply }),
      (error: unknown) => endRun({ kind: "threw", error }),
    );
    const end = this.#explain(await promise);
    clearTimeout(deadline);
    this.#watch?.leave();
    this.#endRun = undefined;
    resolve(outcomeOf(end, this.#bounds, Math.round((performance.now() - startedAt) * 1e6)));
    await this.#afterwards(guest, end, run);
  }

  /** Makes ready for the next invocation, or gives up. */
  async #afterwards(guest: Guest, end: RunEnd, run: Promise<void>): Promise<void> {
    switch (end.kind) {
      case "replied":
        return this.#prepare(guest);
      case "threw":
      case "deadline":
        return this.#recover(guest, run);
      case "stopped":
        guest.abort();
        this.#isolate.dispose();
        await within(GRACE_MS, run);
        return;
      case "memory":
        return this.#giveUp(end.reason, failureOf(end, this.#bounds));
    }
  }

  #prepare(guest: Guest): void {
    try {
      guest.prepare();
    } catch (error) {
      this.#giveUp(errorText(error), failureOf(MEMORY, this.#bounds));
    }
  }

  /** An engine error means memory when the isolate is gone without our doing. */
  #explain(end: RunEnd): RunEnd {
    if (end.kind !== "threw" && end.kind !== "replied") return end;
    if (this.#isolate.isGone) return DEADLINE;
    if (end.kind === "replied" || !this.#isolate.isDisposed) return end;
    return { kind: "memory", reason: errorText(end.error) };
  }

  /** Makes the next invocation work (F4), or gives up within the grace (I1). */
  async #recover(guest: Guest, run: Promise<void>): Promise<void> {
    guest.abort();
    if (!(await within(SETTLE_MS, guest.settle()))) {
      this.#isolate.dispose();
      if (!(await within(GRACE_MS - SETTLE_MS, run))) {
        return this.#giveUp(
          "execution does not stop after its time limit",
          failureOf(DEADLINE, this.#bounds),
        );
      }
      this.#isolate.forget();
    }
    guest.release();
    if (this.#over !== undefined) return;
    if (this.#isolate.isDisposed) return this.#giveUp(MEMORY.reason, failureOf(MEMORY, this.#bounds));
    try {
      this.#guest = await this.#startGuest();
    } catch (error) {
      this.#giveUp(`function cannot be set up again: ${errorText(error)}`, STOPPED);
    }
  }

  /** Fails everything that waits with `failure` and asks for the end of the process. */
  #giveUp(reason: string, failure: Failure): void {
    this.#over = failure;
    this.#guest = undefined;
    this.#watch?.stop();
    if (this.#fatal) return;
    this.#fatal = true;
    setImmediate(() => this.#options.spec.onFatal(reason));
  }
}
