import { setTimeout as delay } from "node:timers/promises";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";

/** How long the orderly way may still take once everything was killed. */
const AFTERMATH_MS = 2000;

export interface ShutdownOptions {
  /** Everything the node holds, in the order it is taken down. */
  readonly resources: AsyncDisposable;
  readonly timeoutMs: number;
  /** What is done side by side when the time is over, so that nothing is left whatever hangs. */
  readonly force: readonly (() => Promise<unknown>)[];
  readonly logger: Logger;
}

/** Takes a node down: orderly while there is time, then by force. Never rejects, and never takes much longer. */
export async function shutDown({ resources, timeoutMs, force, logger }: ShutdownOptions): Promise<void> {
  const disposed = Promise.resolve(resources[Symbol.asyncDispose]()).then(
    () => true,
    (error: unknown) => {
      logger.error("Cannot end the node cleanly", { error: errorText(error) });
      return true;
    },
  );
  if (await within(disposed, timeoutMs)) return;
  logger.error("The shutdown takes too long: killing what is left", { shutdown_timeout_ms: timeoutMs });
  const forced = Promise.allSettled(force.map(async (action) => action())).then(async () => disposed);
  if (!(await within(forced, AFTERMATH_MS))) logger.error("Leaving what could not be ended");
}

async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const over = new AbortController();
  const timeout = delay(limitMs, false, { signal: over.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), timeout]);
  } finally {
    over.abort();
  }
}
