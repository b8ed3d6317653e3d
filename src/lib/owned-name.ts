/**
 * Names of files that carry the process that made them, so that what a killed process left behind is found and removed
 * later.
 */
import { randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";

/** A new name, `{prefix}-{process space}-{process id}-{random}`. The prefix has letters, digits and dots. */
export function ownedName(prefix: string): string {
  return `${ownedNameStart(prefix)}${randomBytes(4).toString("hex")}`;
}

/** What names of ours begin with; something unique has to follow. */
export function ownedNameStart(prefix: string): string {
  return `${prefix}-${PROCESS_SPACE}-${process.pid}-`;
}

/** Whether a name was made with the prefix by a process of this host (or container) that no longer runs. */
export function isAbandoned(name: string, prefix: string): boolean {
  const start = `${prefix}-${PROCESS_SPACE}-`;
  if (!name.startsWith(start)) return false;
  const owner = /^(\d+)-/.exec(name.slice(start.length))?.[1];
  return owner !== undefined && !isRunning(Number(owner));
}

/** Process ids mean something only inside their name space: containers may share a directory, not their processes. */
const PROCESS_SPACE = processSpace();

function processSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "");
  } catch {
    return "0";
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
