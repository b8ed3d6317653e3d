import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorkloadId } from "./ids.ts";

test("workload ids are 20 characters of base32-hex, all different, and sort by time", () => {
  const ids = Array.from({ length: 1000 }, () => createWorkloadId());
  assert.ok(ids.every((id) => /^[0-9a-v]{20}$/.test(id)));
  assert.equal(new Set(ids).size, ids.length);
  const early = createWorkloadId(new Date("2024-07-03T09:46:40Z"));
  assert.ok(early.startsWith("cq2hs0"), early);
  assert.ok(early < createWorkloadId(new Date("2024-07-03T09:46:41Z")));
});
