import { findAgent, readProcess } from "./agent-process.ts";

/** What a process takes, in MiB. */
export interface ProcessMemory {
  /** Its own pages, and its share of those that it has in common with other processes. */
  readonly pss: number;
  /** Its own pages alone. */
  readonly own: number;
}

/** The memory of the agent that runs a workload; undefined where there is no `/proc` to tell. */
export async function agentMemory(workloadId: string): Promise<ProcessMemory | undefined> {
  const pid = await findAgent(workloadId);
  if (pid === undefined) return undefined;
  const fields = new Map(
    [...(await readProcess(pid, "smaps_rollup")).matchAll(/^(\w+): +(\d+) kB$/gm)].map(([, name, kib]) => [
      name,
      Number(kib) / 1024,
    ]),
  );
  const [pss, clean, dirty] = ["Pss", "Private_Clean", "Private_Dirty"].map((name) => fields.get(name));
  if (pss === undefined || clean === undefined || dirty === undefined) return undefined;
  return { pss, own: clean + dirty };
}
