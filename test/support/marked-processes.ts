import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";

/** A word that no other command line has. */
export function createMarker(): string {
  return `marker${randomBytes(8).toString("hex")}`;
}

/** Command lines, by process id, of running processes that have the word in theirs. Linux only. */
export function findMarkedProcesses(marker: string): readonly string[] {
  const found: string[] = [];
  for (const pid of readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && name !== String(process.pid),
  )) {
    try {
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      if (commandLine.includes(marker)) found.push(`${pid}: ${commandLine}`);
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** Process ids of running agents by the machine they are, of those among `machineIds`. Linux only. */
export function findAgents(machineIds: readonly string[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      const id = machineIds.find((candidate) => variables.includes(`NEX_WORKLOADID=${candidate}`));
      // Of an agent and what started it, the last one is the agent.
      if (id !== undefined) found.set(id, Math.max(Number(pid), found.get(id) ?? 0));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}
