import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  const valid: readonly (readonly [text: string, ms: number])[] = [
    ["0", 0],
    ["1ns", 1e-6],
    ["1500us", 1.5],
    ["1500µs", 1.5],
    ["1500μs", 1.5],
    ["750ms", 750],
    ["2s", 2000],
    ["1.5s", 1500],
    [".5s", 500],
    ["1m", 60_000],
    ["1h30m", 5_400_000],
    ["1d", 86_400_000],
    ["1d12h", 129_600_000],
    ["1w", 604_800_000],
    ["1M", 2_592_000_000],
    ["1y", 31_536_000_000],
    ["1m1M", 2_592_060_000],
  ];
  for (const [text, ms] of valid) {
    test(`reads ${text}`, () => assert.equal(parseDuration(text), ms));
  }
  for (const text of ["", "2", "s", "2x", "2 s", "-2s", "2s!", "1h30", "1..5s", "two seconds", "1e3s"]) {
    test(`refuses "${text}"`, () => assert.throws(() => parseDuration(text), { code: "USAGE" }));
  }
});
