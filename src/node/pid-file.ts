import { readFile, rm, writeFile } from "node:fs/promises";
import { NexError, errorText } from "../lib/errors.ts";

/** The node's claim on its pid file; dispose removes the file. */
export type PidFile = AsyncDisposable;

/**
 * Writes the process id to `path`. A file left by a process that is gone is overwritten.
 *
 * @throws {NexError} `NODE_RUNNING` when the process of an existing file is alive, `PID_FILE_INVALID` when the file
 * holds something else or cannot be written
 */
export async function claimPidFile(path: string): Promise<PidFile> {
  const other = await readPid(path);
  if (other !== undefined && other !== process.pid && isAlive(other)) {
    throw new NexError({
      code: "NODE_RUNNING",
      message: `node process already running; pid: ${other}`,
      hint: `Stop it first, or give this node a file of its own: "pid_filepath" in its configuration (now "${path}")`,
    });
  }
  try {
    await writeFile(path, String(process.pid));
  } catch (cause) {
    throw new NexError({
      code: "PID_FILE_INVALID",
      message: `Cannot write pid file: ${errorText(cause)}`,
      cause,
    });
  }
  return { [Symbol.asyncDispose]: async () => rm(path, { force: true }) };
}

async function readPid(path: string): Promise<number | undefined> {
  const content = await readFile(path, "utf8").catch(() => undefined);
  if (content === undefined) return undefined;
  const pid = Number(content.trim());
  if (Number.isSafeInteger(pid) && pid > 0) return pid;
  throw new NexError({
    code: "PID_FILE_INVALID",
    message: `Cannot use pid file "${path}": it does not hold a process id`,
    hint: "Remove the file if no node uses it",
  });
}

/** Also true for a process of another user, which we may not signal. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
