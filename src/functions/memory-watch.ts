import { memoryUsage } from "node:process";

const INTERVAL_MS = 20;
const IDLE_TICKS = 50;
const MIB = 1024 * 1024;

/** Watches what the isolate costs the process, because an isolate's own memory limit lets some bombs pass. */
export interface MemoryWatch {
  /** An invocation starts: from now on memory is looked at every 20 ms. */
  enter(): void;
  /** The invocation is over. */
  leave(): void;
  stop(): void;
}

/**
 * Starts from the present memory as the base. `exceeded` is called, once per invocation, when the process has grown
 * by more than `limitMiB`; the growth of the agent's own heap and buffers does not count.
 */
export function startMemoryWatch(limitMiB: number, exceeded: (grownMiB: number) => void): MemoryWatch {
  const base = foreignBytes();
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let idleTicks = 0;

  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  const tick = (): void => {
    if (!running) {
      if (++idleTicks > IDLE_TICKS) stop();
      return;
    }
    idleTicks = 0;
    const grown = foreignBytes() - base;
    if (grown <= limitMiB * MIB) return;
    running = false;
    exceeded(Math.round(grown / MIB));
  };
  return {
    enter: () => {
      running = true;
      timer ??= setInterval(tick, INTERVAL_MS).unref();
    },
    leave: () => {
      running = false;
    },
    stop,
  };
}

/** Resident memory that is not the agent's own JavaScript heap or buffers. */
function foreignBytes(): number {
  const { rss, heapTotal, external } = memoryUsage();
  return rss - heapTotal - external;
}
