import { readFile, readdir, readlink } from "node:fs/promises";

/** A process as `/proc` shows it. A number may be given to another process later; number and start time may not. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
  /** It has ended and waits for its parent to notice. */
  readonly isZombie: boolean;
}

/** All processes; none where there is no `/proc`, or where it shows the processes of another PID namespace. */
export async function listProcesses(): Promise<readonly ProcessEntry[]> {
  try {
    if (!(await isOwnProcessTable())) return [];
    const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const entries = await Promise.all(names.map((name) => readProcess(Number(name))));
    return entries.filter((entry) => entry !== undefined);
  } catch {
    return [];
  }
}

/** A child of the process; undefined when it has none, or as for `listProcesses`. */
export async function firstChild(parent: number): Promise<ProcessEntry | undefined> {
  try {
    if (!(await isOwnProcessTable())) return undefined;
    const children = await readFile(`/proc/${parent}/task/${parent}/children`, "latin1");
    return await readProcess(Number.parseInt(children, 10));
  } catch {
    // Kernels may be built without the file.
    return (await listProcesses()).find((entry) => entry.parent === parent);
  }
}

/** Whether `/proc` is there and shows the PID namespace that this process lives in. */
async function isOwnProcessTable(): Promise<boolean> {
  try {
    return (await readlink("/proc/self")) === String(process.pid);
  } catch {
    return false;
  }
}

/** One process; undefined when there is none of this number. */
export async function readProcess(pid: number): Promise<ProcessEntry | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return undefined;
  }
}

/** Whether the process still runs. */
export async function isRunning(entry: Pick<ProcessEntry, "pid" | "startTime">): Promise<boolean> {
  const now = await readProcess(entry.pid);
  return now !== undefined && now.startTime === entry.startTime && !now.isZombie;
}

/** `pid (command) state ppid pgrp session …`, see proc_pid_stat(5). The command may contain anything. */
function parseStat(text: string): ProcessEntry | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const pid = Number.parseInt(text, 10);
  const [state, parent, group, session] = fields;
  const startTime = fields[19];
  if (!Number.isSafeInteger(pid) || startTime === undefined) return undefined;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: Number(startTime),
    isZombie: state === "Z" || state === "X",
  };
}
