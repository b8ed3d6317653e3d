/**
 * Temporary directories that carry the process that made them in their name, so that the ones a killed process left
 * behind are found and removed later.
 */
import { readlinkSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** A directory of ours, readable by us only; dispose removes it with its contents. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Makes `{parent}/{prefix}-{owner}-{random}` and removes those of owners that no longer run. */
export async function makeTemporaryDirectory(options: {
  readonly parent: string;
  /** Letters, digits and dots. */
  readonly prefix: string;
}): Promise<TemporaryDirectory> {
  const { parent, prefix } = options;
  await mkdir(parent, { recursive: true });
  await removeAbandoned(parent, prefix);
  const path = await mkdtemp(join(parent, `${prefix}-${PROCESS_SPACE}-${process.pid}-`));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    },
  };
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

async function removeAbandoned(parent: string, prefix: string): Promise<void> {
  const start = `${prefix}-${PROCESS_SPACE}-`;
  for (const name of await readdir(parent)) {
    if (!name.startsWith(start)) continue;
    const owner = /^(\d+)-/.exec(name.slice(start.length))?.[1];
    if (owner === undefined || isRunning(Number(owner))) continue;
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
