import { readFile, readdir } from "node:fs/promises";

/** What a process takes, in MiB. */
export interface ProcessMemory {
  /** Its own pages, and its share of those that it has in common with other processes. */
  readonly pss: number;
  /** Its own pages alone. */
  readonly own: number;
}

/** The memory of the agent that runs a workload; undefined where there is no `/proc` to tell. */
export async function agentMemory(workloadId: string): Promise<ProcessMemory | undefined> {
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const [environment, commandLine] = await Promise.all([read(pid, "environ"), read(pid, "cmdline")]);
    if (!environment.split("\0").includes(`NEX_WORKLOADID=${workloadId}`)) continue;
    // Not the shell around it.
    if (!commandLine.startsWith(process.execPath)) continue;
    const fields = new Map(
      [...(await read(pid, "smaps_rollup")).matchAll(/^(\w+): +(\d+) kB$/gm)].map(([, name, kib]) => [
        name,
        Number(kib) / 1024,
      ]),
    );
    const [pss, clean, dirty] = ["Pss", "Private_Clean", "Private_Dirty"].map((name) => fields.get(name));
    if (pss !== undefined && clean !== undefined && dirty !== undefined) return { pss, own: clean + dirty };
  }
  return undefined;
}

async function read(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "");
}
