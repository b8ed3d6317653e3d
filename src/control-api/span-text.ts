/** Shown for a workload the node cannot account for. */
export const UNKNOWN_SPAN = "unknown";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/**
 * A span as whole seconds, largest unit first, without leading zero units: `59s`, `8m47s`, `3h0m5s`, `2d1h0m9s`,
 * `1y3d0h0m1s`. Negative spans are `0s`, what is no number is `unknown`.
 */
export function uptimeText(seconds: number): string {
  if (!Number.isFinite(seconds)) return UNKNOWN_SPAN;
  const whole = Math.max(0, Math.floor(seconds));
  const units = [
    [YEAR, "y", Math.floor(whole / YEAR)],
    [DAY, "d", Math.floor((whole % YEAR) / DAY)],
    [HOUR, "h", Math.floor((whole % DAY) / HOUR)],
    [MINUTE, "m", Math.floor((whole % HOUR) / MINUTE)],
    [1, "s", whole % MINUTE],
  ] as const;
  return units
    .filter(([size]) => size === 1 || whole >= size)
    .map(([, name, count]) => `${count}${name}`)
    .join("");
}

/** Accumulated execution time of a function: `{n}ns` below 1000 ns, `{n}ms` (truncated) below a second, else as an uptime. */
export function functionRuntimeText(nanoseconds: number): string {
  if (!Number.isFinite(nanoseconds)) return UNKNOWN_SPAN;
  const whole = Math.max(0, Math.floor(nanoseconds));
  if (whole < 1000) return `${whole}ns`;
  if (whole < 1_000_000_000) return `${Math.floor(whole / 1_000_000)}ms`;
  return uptimeText(whole / 1_000_000_000);
}
