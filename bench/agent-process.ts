import { readFile, readdir } from "node:fs/promises";

/** The process id of the agent that runs a workload; undefined where there is no `/proc` to tell. */
export async function findAgent(workloadId: string): Promise<string | undefined> {
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const [environment, commandLine] = await Promise.all([
      readProcess(pid, "environ"),
      readProcess(pid, "cmdline"),
    ]);
    if (!environment.split("\0").includes(`NEX_WORKLOADID=${workloadId}`)) continue;
    // Not the shell around it.
    if (commandLine.startsWith(process.execPath)) return pid;
  }
  return undefined;
}

/** A file of a process; empty when it cannot be read. */
export async function readProcess(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "");
}
