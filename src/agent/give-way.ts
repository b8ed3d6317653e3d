import { readdir } from "node:fs/promises";
import { getPriority, setPriority } from "node:os";

/** How much nicer than the node: about a tenth of its share of a processor that both want. */
const STEP = 10;
const NICEST = 19;

/**
 * Lets the node, and through it everybody's messages, go first when processors are short. On Linux a priority is that of a
 * thread, and threads pass theirs on to those they start.
 */
export async function giveWay(): Promise<void> {
  const threads = await readdir("/proc/self/task").catch(() => ["0"]);
  for (const thread of threads.map(Number)) {
    try {
      setPriority(thread, Math.min(NICEST, getPriority(thread) + STEP));
    } catch {
      // The thread has ended.
    }
  }
}
