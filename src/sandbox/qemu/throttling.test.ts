import assert from "node:assert/strict";
import { test } from "node:test";
import { driveThrottling } from "./throttling.ts";

test("driveThrottling gives the average per second, and the size of the bucket as burst where that is more", () => {
  assert.deepEqual(
    driveThrottling({
      bandwidth: { size: 1_000_000, refillTimeMs: 100 },
      iops: { size: 500, refillTimeMs: 10_000, oneTimeBurst: 7 },
    }),
    ["throttling.bps-total=10000000", "throttling.iops-total=50", "throttling.iops-total-max=500"],
  );
});

test("driveThrottling sets no limit where a bucket has none, and keeps within what QEMU takes", () => {
  assert.deepEqual(
    driveThrottling({ bandwidth: { size: 0, refillTimeMs: 5 }, iops: { size: 5, refillTimeMs: 0 } }),
    [],
  );
  assert.deepEqual(driveThrottling({ bandwidth: { size: 1, refillTimeMs: 60_000 } }), [
    "throttling.bps-total=1",
  ]);
  assert.deepEqual(driveThrottling({ iops: { size: 2 ** 53 - 1, refillTimeMs: 1 } }), [
    "throttling.iops-total=1000000000000000",
  ]);
});
