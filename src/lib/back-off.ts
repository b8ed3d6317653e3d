/** How delays between attempts grow. Times in milliseconds. */
export interface BackOffPolicy {
  /** Delay before the second retry; the first retry is immediate. */
  readonly initialMs: number;
  /** Upper bound of a delay. */
  readonly maxMs: number;
  /** Part of the delay that is random, 0 to 1. Default 0. */
  readonly jitter?: number;
}

/** Delay in milliseconds before retry number `retry` (0 = first retry: at once), doubling up to `maxMs`. */
export function backOffDelayMs(
  policy: BackOffPolicy,
  retry: number,
  random: () => number = Math.random,
): number {
  if (retry <= 0) return 0;
  const delayMs = Math.min(policy.maxMs, policy.initialMs * 2 ** (retry - 1));
  return delayMs - delayMs * (policy.jitter ?? 0) * random();
}
