/**
 * Ends the process when a run on the main thread gets out of hand: the main thread cannot look after itself then.
 *
 * A thread of its own looks every 20 ms whether the run it saw last is still the same, by a counter that is odd while
 * something runs, what the process has grown by, and whether it computes at all: a run says when it waits, so another
 * one that takes no processor time hangs in an engine that has run out of memory. First it has the isolate guard end a
 * run that takes too long; then it kills, because nothing less is certain to work, with the reason on stderr. While nothing
 * has run for a second it sleeps until it is woken.
 */
import { Worker } from "node:worker_threads";
import { GUARD_SIGNAL } from "./isolate-guard.ts";

/** What makes the watchdog end a run, or the process. */
export interface WatchdogLimits {
  /** Time for a run, in milliseconds. */
  readonly overdueMs: number;
  /** How long a run may take before the process ends, in milliseconds. */
  readonly runMs: number;
  /** Growth of the process since the start of the watchdog, in MiB. */
  readonly growthMiB: number;
}

export interface Watchdog {
  /** A run starts. */
  enter(): void;
  /** The run is over; true when it was found overdue, and its isolate ends. */
  leave(): boolean;
  /** The run waits for the host, or goes on. */
  wait(waits: boolean): void;
  stop(): void;
  /** Memory that the threads share, with the place of the guard's signal in it. */
  readonly cells: Int32Array;
  readonly signalAt: number;
}

/** Places in the memory that both threads share. */
const COUNT = 0;
const ASLEEP = 1;
const WAITS = 2;
const SIGNAL = 3;
const CELLS = 4;
/** Stands in the place of the count of a run that is overdue. Odd, as that. */
const OVERDUE = -1;

export function startWatchdog(limits: WatchdogLimits): Watchdog {
  const cells = new Int32Array(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT));
  const worker = new Worker(`(${String(watch)})(require);`, {
    eval: true,
    workerData: { cells, overdue: OVERDUE, end: GUARD_SIGNAL.end, ...limits },
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  });
  worker.unref();
  // Without its thread there is no watchdog, and so no safe way to run anything.
  worker.on("error", (error) => {
    throw error;
  });
  let count = 0;
  return {
    cells,
    signalAt: SIGNAL,
    enter: () => {
      count = Atomics.add(cells, COUNT, 1) + 1;
      if (Atomics.load(cells, ASLEEP) === 1) {
        Atomics.store(cells, ASLEEP, 0);
        Atomics.notify(cells, ASLEEP);
      }
    },
    leave: () => {
      if (Atomics.compareExchange(cells, COUNT, count, count + 1) === count) return false;
      Atomics.store(cells, COUNT, count + 1);
      return true;
    },
    wait: (waits) => {
      Atomics.store(cells, WAITS, waits ? 1 : 0);
    },
    stop: () => void worker.terminate(),
  };
}

/** Runs in the thread, from its own source text: refers to nothing outside its body. */
function watch(load: NodeJS.Require): void {
  const { workerData } = load("node:worker_threads") as {
    readonly workerData: WatchdogLimits & {
      readonly cells: Int32Array;
      readonly overdue: number;
      readonly end: number;
    };
  };
  const { writeSync } = load("node:fs") as { readonly writeSync: (descriptor: number, text: string) => void };
  const { cells, overdue, end, overdueMs, runMs, growthMiB } = workerData;
  const [count, asleep, waits, signal, intervalMs, idleTicks] = [0, 1, 2, 3, 20, 50];
  // A second without work, while this thread was not kept from working.
  const [stillMs, stillMicros, stillTicks] = [1000, 10_000, 25];
  const base = process.memoryUsage.rss();
  const die = (reason: string): never => {
    writeSync(2, `nex-agent: ${reason}\n`);
    process.kill(process.pid, "SIGKILL");
    for (;;);
  };
  const othersMicros = (): number => {
    const [all, own] = [process.cpuUsage(), process.threadCpuUsage()];
    return all.user + all.system - own.user - own.system;
  };
  let seen = 0;
  let seenAt = 0;
  let window = { at: 0, micros: 0, ticks: 0 };
  let idle = 0;
  for (;;) {
    if (idle > idleTicks) {
      Atomics.store(cells, asleep, 1);
      Atomics.wait(cells, asleep, 1);
      idle = 0;
    } else Atomics.wait(cells, asleep, 0, intervalMs);
    const now = Atomics.load(cells, count);
    const running = now % 2 !== 0;
    idle = running || now !== seen ? 0 : idle + 1;
    if (now !== seen) {
      seenAt = performance.now();
      window = { at: seenAt, micros: running ? othersMicros() : 0, ticks: 0 };
    }
    seen = now;
    if (!running) continue;
    if (Atomics.load(cells, waits) === 1)
      window = { at: performance.now(), micros: othersMicros(), ticks: 0 };
    window.ticks += 1;
    if (performance.now() - window.at > stillMs) {
      const micros = othersMicros();
      if (window.ticks > stillTicks && micros - window.micros < stillMicros)
        die("execution exceeded its memory limit: the engine has given up");
      window = { at: performance.now(), micros, ticks: 0 };
    }
    if (performance.now() - seenAt > overdueMs && now !== overdue) {
      if (Atomics.compareExchange(cells, count, now, overdue) !== now) continue;
      seen = overdue;
      Atomics.store(cells, signal, end);
      Atomics.notify(cells, signal);
    }
    if (performance.now() - seenAt > runMs) die("execution does not stop after its time limit");
    const grownMiB = (process.memoryUsage.rss() - base) / 1024 / 1024;
    if (grownMiB > growthMiB)
      die(`execution exceeded its memory limit: the process grew by ${Math.round(grownMiB)} MiB`);
  }
}
