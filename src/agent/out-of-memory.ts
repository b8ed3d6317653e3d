import { readFile } from "node:fs/promises";

/** How many processes the kernel has killed for want of memory since it booted; undefined where it does not tell. */
export async function outOfMemoryKills(): Promise<number | undefined> {
  try {
    const count = /^oom_kill (\d+)$/m.exec(await readFile("/proc/vmstat", "utf8"))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}
