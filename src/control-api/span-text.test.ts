import assert from "node:assert/strict";
import { test } from "node:test";
import { functionRuntimeText, uptimeText } from "./span-text.ts";

test("uptimeText writes whole seconds, largest unit first, without leading zero units", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0s"],
    [59.999, "59s"],
    [60, "1m0s"],
    [527, "8m47s"],
    [3599, "59m59s"],
    [3600, "1h0m0s"],
    [10_805, "3h0m5s"],
    [86_399, "23h59m59s"],
    [86_400, "1d0h0m0s"],
    [90_061, "1d1h1m1s"],
    [176_409, "2d1h0m9s"],
    [31_535_999, "364d23h59m59s"],
    [31_536_000, "1y0d0h0m0s"],
    [31_536_000 + 3 * 86_400 + 1, "1y3d0h0m1s"],
    [-5, "0s"],
    [Number.NaN, "unknown"],
    [Number.POSITIVE_INFINITY, "unknown"],
  ];
  for (const [seconds, text] of cases) assert.equal(uptimeText(seconds), text);
});

test("functionRuntimeText changes unit at 1000 ns and at a second", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0ns"],
    [999, "999ns"],
    [1000, "0ms"],
    [1_999_999, "1ms"],
    [999_999_999, "999ms"],
    [1_000_000_000, "1s"],
    [61_500_000_000, "1m1s"],
    [-1, "0ns"],
    [Number.NaN, "unknown"],
  ];
  for (const [nanoseconds, text] of cases) assert.equal(functionRuntimeText(nanoseconds), text);
});
