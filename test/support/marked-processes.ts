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
