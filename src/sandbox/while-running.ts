import { setTimeout as delay } from "node:timers/promises";
import type { ManagedProcess, ProcessExit } from "../lib/managed-process.ts";

/** A connection to a process is lost a moment before its end is known. */
const END_KNOWN_MS = 100;

/**
 * Does `work` as long as the monitor runs: its signal fires at the process's end as well.
 *
 * @throws {Error} that says how the process ended, when that is why the work failed
 */
export async function whileRunning<Result>(
  { exit }: ManagedProcess,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const ended = new AbortController();
  void exit.then((how) => ended.abort(new Error(endText(how))));
  try {
    return await work(AbortSignal.any([signal, ended.signal]));
  } catch (error) {
    if (!signal.aborted) await Promise.race([exit, delay(END_KNOWN_MS)]);
    ended.signal.throwIfAborted();
    throw error;
  }
}

/** How a monitor ended, as a sentence. */
export function endText(exit: ProcessExit): string {
  switch (exit.kind) {
    case "exited":
      return `the virtual machine monitor ended with exit code ${exit.code}`;
    case "signaled":
      return `the virtual machine monitor was ended by ${exit.signal}`;
    case "stopped":
      return "the virtual machine monitor was stopped";
  }
}
