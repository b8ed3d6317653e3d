/**
 * Ends an isolate from outside while code in it keeps the main thread: another isolate, on a thread of its own, sleeps until it
 * is told to. The engine's own time limit would do, but costs a timer for each run that it keeps until that is due: of many
 * short runs they come to take a third of the agent's processor time (docs/performance.md).
 */
import type { Isolate, IsolateEngine } from "./isolate-engine.ts";

/** What the cell says. */
export const GUARD_SIGNAL = { wait: 0, end: 1, stop: 2 } as const;

const GUARD_SOURCE = `
const cells = new Int32Array($0);
const { wait, load } = Atomics;
return (isolate) => {
  wait(cells, $1, ${GUARD_SIGNAL.wait});
  if (load(cells, $1) !== ${GUARD_SIGNAL.end}) return;
  try { isolate.dispose() } catch {}
};`;
const HEAP_MIB = 8;

export interface IsolateGuard {
  /** From now on this isolate is the one to end. */
  watch(isolate: Isolate): Promise<void>;
  stop(): void;
}

/** `at` is the place in `cells` where whoever decides writes the signal and notifies. */
export async function startIsolateGuard(
  engine: IsolateEngine,
  cells: Int32Array,
  at: number,
): Promise<IsolateGuard> {
  const guard = new engine.Isolate({ memoryLimit: HEAP_MIB });
  const context = await guard.createContext();
  const memory = new engine.ExternalCopy(cells.buffer).copyInto({ release: true });
  const sleep = await context.evalClosure(GUARD_SOURCE, [memory, at], { result: { reference: true } });
  const signal = (value: number): void => {
    Atomics.store(cells, at, value);
    Atomics.notify(cells, at);
  };
  const stop = (): void => {
    process.off("exit", stop);
    signal(GUARD_SIGNAL.stop);
  };
  // The process cannot end while the thread sleeps.
  process.on("exit", stop);
  let watched: Isolate | undefined;
  let asleep: Promise<unknown> | undefined;
  return {
    watch: async (isolate) => {
      if (isolate === watched) return;
      signal(GUARD_SIGNAL.stop);
      await asleep;
      signal(GUARD_SIGNAL.wait);
      watched = isolate;
      asleep = sleep.apply(undefined, [isolate]).catch(() => {});
    },
    stop,
  };
}
