import { usageError } from "./usage-error.ts";

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5
  μs: 1e-3, // U+03BC
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|[smhdwMy])/y;

/**
 * Milliseconds of a duration such as `750ms`, `1h30m`, `1.5d`: Go's notation plus `d`, `w` (7 d), `M` (30 d) and `y`
 * (365 d).
 *
 * @throws {NexError} `USAGE` when the text is none
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  let totalMs = 0;
  PART.lastIndex = 0;
  do {
    const [, digits, unit] = PART.exec(text) ?? [];
    const unitMs = unit === undefined ? undefined : UNITS_MS[unit];
    if (digits === undefined || unitMs === undefined) {
      throw usageError(`invalid duration '${text}' (write it like 750ms, 2s, 1h30m or 1d)`);
    }
    totalMs += Number(digits) * unitMs;
  } while (PART.lastIndex < text.length);
  return totalMs;
}
