import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareVersions } from "./server-version.ts";

describe("compareVersions", () => {
  it("orders versions by number, and previews before their release", () => {
    const sorted = ["2.9.0", "2.9.10", "2.10.0-RC.1", "2.10.0", "2.12.4", "2.15.1", "10.0.0"];
    assert.deepEqual(sorted.toReversed().sort(compareVersions), sorted);
  });

  it("finds equal versions equal", () => {
    assert.equal(compareVersions("2.12.15", "2.12.15"), 0);
  });
});
