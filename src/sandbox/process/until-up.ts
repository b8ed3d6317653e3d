import type { Readable } from "node:stream";

const UP_MS = 10_000;

/** How a start went on; all but `up` read as "the agent process …". */
export type UpOutcome = "up" | "ended at once" | "did not start in time" | "was aborted";

/**
 * Waits for the first of: a byte of `up`, its end without one (nobody is left who could write), abort, ten seconds.
 * Never rejects; `up` is closed afterwards.
 */
export async function untilUp(up: Readable, signal: AbortSignal): Promise<UpOutcome> {
  const { promise, resolve } = Promise.withResolvers<UpOutcome>();
  const onAbort = (): void => resolve("was aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const timer = setTimeout(() => resolve("did not start in time"), UP_MS);
  up.on("error", () => {});
  up.once("data", () => resolve("up"));
  up.once("close", () => resolve("ended at once"));
  const outcome = await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
  up.destroy();
  return outcome;
}
