import { setTimeout as delay } from "node:timers/promises";

/**
 * What `work` comes to. Once `signal` is aborted, `work` has `graceMs` (default 0) to clean up and fail; then the reason
 * is thrown and `work` is left alone.
 */
export async function endOnAbort<T>(work: Promise<T>, signal: AbortSignal, graceMs = 0): Promise<T> {
  const aborted = Promise.withResolvers<"aborted">();
  const abort = (): void => aborted.resolve("aborted");
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const settled = work.then(
    () => "settled" as const,
    () => "settled" as const,
  );
  try {
    if ((await Promise.race([settled, aborted.promise])) === "settled") return await work;
    if (graceMs > 0) await Promise.race([settled, delay(graceMs, undefined, { ref: false })]);
    throw signal.reason;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
