import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MachineEnd } from "./machine.ts";
import { afterAttempt, afterFailure, attemptDelayMs, isFailure, NO_RESTARTS } from "./restart-policy.ts";
import type { RestartRecord } from "./restart-policy.ts";

const at = new Date("2026-01-02T03:04:05Z");
const crash: MachineEnd = { kind: "exited", code: 3, message: "Exited" };

function failed(record: RestartRecord, ranMs: number): RestartRecord {
  return afterFailure(record, { end: crash, at, ranMs });
}

describe("Restart policy", () => {
  it("takes exit codes other than 0 and lost agents for failures, nothing that was wanted", () => {
    assert.ok(isFailure(crash));
    assert.ok(isFailure({ kind: "exited", code: -1, message: "" }));
    assert.ok(isFailure({ kind: "agent-lost", message: "" }));
    assert.ok(!isFailure({ kind: "exited", code: 0, message: "" }));
    assert.ok(!isFailure({ kind: "stop-requested" }));
    assert.ok(!isFailure({ kind: "node-shutdown" }));
    assert.ok(!isFailure({ kind: "deploy-failed", message: "" }));
  });

  it("waits 0, 1, 2, 4, 8, 16, 30, 30 s between failures in a row", () => {
    let record = NO_RESTARTS;
    const delays = Array.from({ length: 8 }, () => {
      record = failed(record, 100);
      const delayMs = attemptDelayMs(record);
      record = afterAttempt(record, at);
      return delayMs;
    });
    assert.deepEqual(delays, [0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    assert.equal(record.count, 8);
  });

  it("lets a failed attempt count: the next one waits longer", () => {
    const once = afterAttempt(failed(NO_RESTARTS, 0), at);
    assert.equal(attemptDelayMs(once), 1000);
    assert.equal(attemptDelayMs(afterAttempt(once, at)), 2000);
  });

  it("starts over at once after an instance held for 60 s, and goes on counting", () => {
    const record = [1, 2, 3, 4].reduce((last) => afterAttempt(failed(last, 10), at), NO_RESTARTS);
    assert.equal(attemptDelayMs(failed(record, 59_999)), 8000);
    assert.equal(attemptDelayMs(failed(record, 60_000)), 0);
    assert.equal(afterAttempt(failed(record, 60_000), at).count, 5);
  });

  it("records the end and the time of the attempt", () => {
    const record = afterAttempt(failed(NO_RESTARTS, 0), at);
    assert.deepEqual(record.lastExit, { code: 3, reason: "Exited", time: at.toISOString() });
    assert.equal(record.retriedAt, at);
    const lost = afterFailure(record, { end: { kind: "agent-lost", message: "gone" }, at, ranMs: 0 });
    assert.deepEqual(lost.lastExit, { code: -1, reason: "gone", time: at.toISOString() });
  });
});
