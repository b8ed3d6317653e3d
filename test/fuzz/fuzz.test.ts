import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzAgent } from "./fuzz-agent.ts";
import { fuzzControl } from "./fuzz-control.ts";
import type { FuzzReport } from "./fuzz-control.ts";
import { fuzzFromAgent } from "./fuzz-from-agent.ts";
import { RandomSource } from "./random-source.ts";
import { SURVIVOR_SUBJECT, startFuzzNode } from "./start-fuzz-node.ts";

/** `npm run fuzz` sends a million with another seed each time. */
const SEED = 1;
const skip = process.platform === "linux" ? false : "reads memory from /proc, which only Linux has";

test(
  "a node stands 16000 random and mutated messages on its control, event and log subjects",
  { skip },
  async () => {
    await using node = await startFuzzNode();
    const report = await fuzzControl({
      connection: node.connection,
      target: node.target,
      survivorSubject: SURVIVOR_SUBJECT,
      pid: node.nex.pid,
      messages: 16_000,
      random: new RandomSource(SEED),
    });
    assert.ok(report.replies > 1000, `${report.replies} were answered`);
    assertFlat(report);
    assert.equal(node.nex.stderr().includes("Cannot handle a control request"), false, node.nex.stderr());
  },
);

test("a node stands 4000 random and mutated messages of an agent", { skip }, async () => {
  const report = await fuzzFromAgent(4000, SEED);
  assert.ok(report.replies > 100, `${report.replies} log lines came through`);
  assertFlat(report);
});

test("an agent stands 4000 random and mutated messages of a node", { skip }, async () => {
  const report = await fuzzAgent(4000, new RandomSource(SEED));
  assert.ok(report.replies > 100, `${report.replies} were answered`);
  assertFlat(report);
});

function assertFlat({ residentBeforeMiB, residentAfterMiB }: FuzzReport): void {
  const growth = residentAfterMiB - residentBeforeMiB;
  assert.ok(growth < 64, `memory grew by ${growth} MiB to ${residentAfterMiB} MiB`);
}
