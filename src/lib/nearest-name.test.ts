import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName } from "./nearest-name.ts";

test("nearestName finds the candidate that differs least, and none that differs much", () => {
  assert.equal(nearestName("devrum", ["devrun", "run", "stop"]), "devrun");
  assert.equal(nearestName("stopp", ["stop", "top"]), "stop");
  assert.equal(nearestName("banana", ["devrun", "run"]), undefined);
  assert.equal(nearestName("x", []), undefined);
});
