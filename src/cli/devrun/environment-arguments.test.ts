import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseArgv, parseEnvironmentArguments } from "./environment-arguments.ts";

describe("parseEnvironmentArguments", () => {
  test("splits at the first = or :, whichever comes first", () => {
    const items = ["A=1", "B:2", "URL=nats://x:4222", "C:a=b", "D=", "__proto__=x"];
    assert.deepEqual(Object.entries(parseEnvironmentArguments(items)), [
      ["A", "1"],
      ["B", "2"],
      ["URL", "nats://x:4222"],
      ["C", "a=b"],
      ["D", ""],
      ["__proto__", "x"],
    ]);
  });

  for (const item of ["A", "", "=1", ":1"]) {
    test(`refuses "${item}"`, () => {
      assert.throws(() => parseEnvironmentArguments([item]), { message: `expected KEY=VALUE got '${item}'` });
    });
  }
});

describe("parseArgv", () => {
  test("splits at single spaces", () => {
    assert.deepEqual(
      [parseArgv(undefined), parseArgv(""), parseArgv("a b"), parseArgv("a  b")],
      [[], [], ["a", "b"], ["a", "", "b"]],
    );
  });
});
