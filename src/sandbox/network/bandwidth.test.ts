import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenBucketFilter } from "./bandwidth.ts";

test("tokenBucketFilter gives what comes into the bucket in a second as rate, and its size as burst", () => {
  assert.equal(
    tokenBucketFilter({ size: 1_000_000, refillTimeMs: 100 }, 1500),
    "tbf rate 80000000bit burst 1000000 limit 1500000",
  );
  assert.equal(
    tokenBucketFilter({ size: 2_000_000, refillTimeMs: 10_000, oneTimeBurst: 9 }, 1500),
    "tbf rate 1600000bit burst 2000000 limit 2012512",
  );
});

test("tokenBucketFilter limits nothing where a bucket has no limit", () => {
  assert.equal(tokenBucketFilter({ size: 0, refillTimeMs: 100 }, 1500), undefined);
  assert.equal(tokenBucketFilter({ size: 100, refillTimeMs: 0 }, 1500), undefined);
});

test("tokenBucketFilter always lets a packet pass, and keeps within what the kernel counts", () => {
  assert.equal(
    tokenBucketFilter({ size: 100, refillTimeMs: 10 }, 9000),
    "tbf rate 80000bit burst 9064 limit 81576",
  );
  assert.equal(
    tokenBucketFilter({ size: 1, refillTimeMs: 60_000 }, 1500),
    "tbf rate 56bit burst 1564 limit 14076",
  );
  assert.equal(
    tokenBucketFilter({ size: 2 ** 53 - 1, refillTimeMs: 1 }, 1500),
    "tbf rate 80000000000bit burst 2147483647 limit 2647483647",
  );
});
