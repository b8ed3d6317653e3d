import { readFile } from "node:fs/promises";
import { findAgents } from "../test/support/marked-processes.ts";

/** What a process takes, in MiB. */
export interface ProcessMemory {
  /** Its own pages, and its share of those that it has in common with other processes. */
  readonly pss: number;
  /** Its own pages alone. */
  readonly own: number;
}

/** The memory of the agent that runs a workload; undefined where nothing tells. */
export async function agentMemory(workloadId: string): Promise<ProcessMemory | undefined> {
  if (process.platform !== "linux") return undefined;
  const pid = findAgents([workloadId]).get(workloadId);
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "latin1").catch(() => "");
  const fields = new Map(
    [...text.matchAll(/^(\w+): +(\d+) kB$/gm)].map(([, name, kib]) => [name, Number(kib) / 1024]),
  );
  const [pss, clean, dirty] = ["Pss", "Private_Clean", "Private_Dirty"].map((name) => fields.get(name));
  if (pss === undefined || clean === undefined || dirty === undefined) return undefined;
  return { pss, own: clean + dirty };
}
