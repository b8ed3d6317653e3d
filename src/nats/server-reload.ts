/**
 * Hands a running nats-server a new configuration.
 *
 * R1 one at a time: a server may take several hangup signals for one
 * R2 in one step, beside and renamed: a server takes half a file, its braces never closed, for a whole one
 * R3 done when the server says so, in a log line that every version writes once clients are judged by the new file
 * R4 a file that the server refuses goes back to what it was: the server still runs by that one
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { errorText, NexError } from "../lib/errors.ts";
import type { ManagedProcess } from "../lib/managed-process.ts";
import type { ServerLog } from "./server-log.ts";

const RELOADED = /^Reloaded server configuration/;
const REFUSED = /^Failed to reload server configuration: (.*)$/;
const RELOAD_LIMIT_MS = 15_000;

/** A function that replaces the content of `file`, the server's configuration (R1 to R4). */
export function createReload(parts: {
  readonly file: string;
  readonly child: ManagedProcess;
  readonly log: ServerLog;
}): (content: string) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return async (content) => {
    const reload = last.then(async () => replace(parts, content));
    last = reload.catch(() => {});
    await reload;
  };
}

async function replace(
  { file, child, log }: Parameters<typeof createReload>[0],
  content: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // It may end before it is waited for.
  promise.catch(() => {});
  using _watch = log.watch((line) => {
    if (RELOADED.test(line)) resolve();
    const reason = REFUSED.exec(line)?.[1];
    if (reason !== undefined) reject(failed(reason));
  });
  void child.exit.then(() => reject(failed("it has ended")));
  const timer = setTimeout(
    () => reject(failed(`it did not answer within ${RELOAD_LIMIT_MS / 1000} s`)),
    RELOAD_LIMIT_MS,
  );
  let old: string | undefined;
  try {
    old = await readFile(file, "utf8");
    await writeInOneStep(file, content);
    child.child.kill("SIGHUP");
    await promise;
  } catch (error) {
    if (old !== undefined) await writeInOneStep(file, old).catch(() => {});
    throw error instanceof NexError ? error : failed(errorText(error), error);
  } finally {
    clearTimeout(timer);
  }
}

async function writeInOneStep(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

function failed(reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "NATS_SERVER_RELOAD_FAILED",
    message: `Cannot give nats-server a new configuration: ${reason}`,
    cause,
  });
}
