/** Figures of one series of measurements. */
export interface Summary {
  readonly p50: number;
  readonly p99: number;
}

/** Median and 99th percentile of values in any unit. */
export function summarize(values: readonly number[]): Summary {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
}

/** Value below which the share `q` (0 to 1) of the values lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

/** Median, and the smallest and largest value in brackets, each formatted. */
export function medianAndSpread(values: readonly number[], format: (value: number) => string): string {
  return `${format(quantile(values, 0.5))} (${format(Math.min(...values))}–${format(Math.max(...values))})`;
}

/** Times in µs of something done `count` times, one at a time. */
export async function timesUs(count: number, work: () => unknown): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const working = work();
    if (working instanceof Promise) await working;
    times.push((performance.now() - start) * 1000);
  }
  return times;
}
