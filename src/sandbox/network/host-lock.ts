import { once } from "node:events";
import { NexError } from "../../lib/errors.ts";
import { startProcess } from "../../lib/managed-process.ts";
import { SYSTEM_PATH } from "../../lib/find-program.ts";

/** How long the start or end of another node on this host may take. */
const WAIT_SECONDS = "120";

/**
 * Waits until no other process of this host holds the lock `file`, and holds it until disposed. The kernel gives it up
 * when this process is killed.
 *
 * @throws {NexError} `TIMEOUT`
 */
export async function lockHost(file: string): Promise<AsyncDisposable> {
  const holder = await startProcess({
    program: "flock",
    argv: ["--wait", WAIT_SECONDS, file, "sh", "-c", "echo locked && exec cat"],
    environment: { PATH: SYSTEM_PATH },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const { stdout } = holder.child;
  const locked = stdout !== null && once(stdout, "data").then(() => true);
  if (await Promise.race([locked, holder.exit.then(() => false)])) return holder;
  throw new NexError({
    code: "TIMEOUT",
    message: `Cannot lock "${file}": another node has held it for more than ${WAIT_SECONDS} s`,
  });
}
