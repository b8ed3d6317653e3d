/** What a virtual machine takes on the host, as /proc tells of its monitor. */
import { readdir, readFile } from "node:fs/promises";

/** The monitor that runs the machine `id`: of all processes that name it, the youngest. */
export async function monitorOf(id: string): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.split("\0").includes(id)) found.push(pid);
  }
  if (found.length === 0) throw new Error(`No process runs the machine "${id}"`);
  return Math.max(...found);
}

/** Processor time of a process so far, in seconds. */
export async function processorSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name, in brackets, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0] = fields.slice(11, 13).map(Number);
  return (user + system) / TICKS_PER_SECOND;
}

/** The same on every Linux. */
const TICKS_PER_SECOND = 100;

/** Memory of a process in KiB: its share of what it shares (PSS), and all of it (RSS). */
export async function memoryKiB(pid: number): Promise<{ readonly pss: number; readonly rss: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]);
  return { pss: of("Pss"), rss: of("Rss") };
}
