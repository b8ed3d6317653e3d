import { setTimeout as delay } from "node:timers/promises";
import { isRunning, listProcesses } from "../../lib/process-table.ts";
import type { ProcessEntry } from "../../lib/process-table.ts";

/** What may be left of a sandbox when the process we started has ended. */
export interface Remains {
  /** Called before and during a stop: remembers what runs now. */
  note(): Promise<void>;
  /** Called after the end of the process: resolves with true once nothing is left, with false when it gives up. */
  gone(): Promise<boolean>;
}

const GIVE_UP_MS = 5000;

/**
 * A PID namespace: when its first process ends the kernel kills all the others, and that process stays visible until
 * they are gone.
 */
export function namespaceRemains(firstProcess: ProcessEntry | undefined): Remains {
  return {
    note: () => Promise.resolve(),
    gone: () => until(async () => firstProcess === undefined || !(await isRunning(firstProcess))),
  };
}

/**
 * No namespace: descendants, and whatever is in the session and group of the process. A daemon that had left both
 * and lost its parents before the stop began is not found.
 */
export function treeRemains(pid: number): Remains {
  const known = new Map<number, ProcessEntry>();
  const survey = async (): Promise<ProcessEntry[]> => {
    const all = await listProcesses();
    for (const [knownPid, entry] of known) {
      if (all.find((now) => now.pid === knownPid)?.startTime !== entry.startTime) known.delete(knownPid);
    }
    for (let size = -1; size !== known.size;) {
      size = known.size;
      for (const entry of all) if (belongs(entry, pid, known)) known.set(entry.pid, entry);
    }
    return all.filter((entry) => known.has(entry.pid) && entry.pid !== pid && !entry.isZombie);
  };
  return {
    note: async () => {
      await survey();
    },
    gone: () =>
      until(async () => {
        const left = await survey();
        for (const entry of left) kill(entry.pid);
        return left.length === 0;
      }),
  };
}

function belongs(entry: ProcessEntry, root: number, known: ReadonlyMap<number, ProcessEntry>): boolean {
  if (entry.pid === process.pid) return false;
  const isNear = (pid: number): boolean => pid === root || known.has(pid);
  return isNear(entry.pid) || isNear(entry.parent) || entry.session === root || entry.group === root;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already, or has become another user's.
  }
}

async function until(condition: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = performance.now() + GIVE_UP_MS;
  for (let waitMs = 1; ; waitMs = Math.min(20, waitMs * 2)) {
    if (await condition()) return true;
    if (performance.now() > deadlineMs) return false;
    await delay(waitMs);
  }
}
