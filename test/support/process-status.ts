import { readFile, readdir } from "node:fs/promises";

/** Resident memory of a process in MiB; Linux only. */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN) / 1024;
}

/** Process ids of all descendants of a process whose command line contains `text`; Linux only. */
export async function descendantsWith(pid: number, text: string): Promise<number[]> {
  const parents = new Map<number, { readonly parent: number; readonly command: string }>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const [stat, command] = await Promise.all([
      readFile(`/proc/${name}/stat`, "utf8").catch(() => ""),
      readFile(`/proc/${name}/cmdline`, "utf8").catch(() => ""),
    ]);
    // The name in parentheses may hold anything.
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    parents.set(Number(name), { parent, command });
  }
  const isBelow = (candidate: number): boolean => {
    for (let at = candidate; at > 1; at = parents.get(at)?.parent ?? 0) if (at === pid) return true;
    return false;
  };
  return [...parents]
    .filter(([candidate, { command }]) => candidate !== pid && command.includes(text) && isBelow(candidate))
    .map(([candidate]) => candidate);
}
