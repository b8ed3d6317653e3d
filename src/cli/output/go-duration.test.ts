import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatGoDuration } from "./go-duration.ts";

describe("formatGoDuration", () => {
  const table: readonly (readonly [nanoseconds: bigint, text: string])[] = [
    [0n, "0s"],
    [999n, "999ns"],
    [567_537n, "567.537µs"],
    [446_270n, "446.27µs"],
    [2_600_724n, "2.600724ms"],
    [1_000_000_000n, "1s"],
    [1_500_000_000n, "1.5s"],
    [63_500_000_000n, "1m3.5s"],
    [3_600_000_000_000n, "1h0m0s"],
    [-5_000_000n, "-5ms"],
  ];
  for (const [nanoseconds, text] of table) {
    test(`of ${nanoseconds} is ${text}`, () => assert.equal(formatGoDuration(nanoseconds), text));
  }
});
