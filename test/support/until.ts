import { AssertionError } from "node:assert";
import { setTimeout as delay } from "node:timers/promises";

/** How long to wait, and what for. */
export interface UntilOptions {
  /** Default 10000. */
  readonly timeoutMs?: number;
  /** Default 10. */
  readonly intervalMs?: number;
  /** What did not happen, for the failure. */
  readonly message?: string;
}

type Truthy<T> = Exclude<T, false | 0 | "" | null | undefined>;

/**
 * Polls until `condition` gives something truthy and returns it. A condition that throws counts as not yet; the last
 * error is the cause of the failure.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Truthy<T>> {
  const { timeoutMs = 10_000, intervalMs = 10, message = "the condition never held" } = options;
  const limit = performance.now() + timeoutMs;
  let lastError: unknown;
  do {
    try {
      const value = await condition();
      if (value) return value as Truthy<T>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await delay(intervalMs);
  } while (performance.now() < limit);
  const failure = new AssertionError({ message: `Waited ${timeoutMs} ms: ${message}`, stackStartFn: until });
  if (lastError !== undefined) failure.cause = lastError;
  throw failure;
}
