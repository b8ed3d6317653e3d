import assert from "node:assert/strict";
import { test } from "node:test";
import { LineSplitter } from "./line-splitter.ts";

function split(...chunks: readonly (string | Uint8Array)[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  splitter.end();
  return lines;
}

test("LineSplitter joins chunks and cuts lines, also with carriage returns and without a last line end", () => {
  assert.deepEqual(split("a", "b\nc\r\n", "\nd"), ["ab", "c", "", "d"]);
  assert.deepEqual(split("a\n"), ["a"]);
  assert.deepEqual(split(), []);
});

test("LineSplitter keeps characters whole that two chunks share", () => {
  const bytes = Buffer.from("ä\n");
  assert.deepEqual(split(bytes.subarray(0, 1), bytes.subarray(1)), ["ä"]);
});

test("LineSplitter hands an endless line on in pieces", () => {
  const lines = split("x".repeat(40_000), "y".repeat(10));
  assert.deepEqual(
    lines.map((line) => line.length),
    [16_384, 16_384, 7242],
  );
  assert.deepEqual(
    split(`${"x".repeat(20_000)}\n`).map((line) => line.length),
    [16_384, 3616],
  );
});
