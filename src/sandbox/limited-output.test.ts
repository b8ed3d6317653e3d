import assert from "node:assert/strict";
import { test } from "node:test";
import { limitOutput } from "./limited-output.ts";
import type { SandboxOutput } from "./sandbox.ts";

test("limitOutput hands on 500 lines in ten seconds and says how many it left out", () => {
  let now = 0;
  const seen: SandboxOutput[] = [];
  const { take } = limitOutput(
    (output) => seen.push(output),
    () => now,
  );
  for (let index = 0; index < 700; index += 1) take({ stream: "stdout", line: `line ${index}` });
  assert.equal(seen.length, 500);
  now = 10_000;
  take({ stream: "stdout", line: "later" });
  assert.deepEqual(seen.slice(500), [
    { stream: "stdout", line: "200 lines of output were left out" },
    { stream: "stdout", line: "later" },
  ]);
});

test("limitOutput cuts long lines, and keeps the last ones of stderr, those left out as well", () => {
  const seen: string[] = [];
  const { take, lastWords } = limitOutput(
    ({ line }) => seen.push(line),
    () => 0,
  );
  take({ stream: "stdout", line: "x".repeat(5000) });
  assert.deepEqual(seen, [`${"x".repeat(1024)}…`]);
  for (let index = 0; index < 600; index += 1) take({ stream: "stderr", line: `word ${index}` });
  take({ stream: "stderr", line: "" });
  assert.deepEqual(lastWords(), ["word 597", "word 598", "word 599"]);
});
