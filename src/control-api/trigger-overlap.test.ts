import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { findDeniedTrigger, subjectsOverlap } from "./trigger-overlap.ts";

const CASES: readonly (readonly [string, string, boolean])[] = [
  [">", "a", true],
  [">", "a.b.c", true],
  ["a.*", "*.b", true],
  ["$NEX.foo", "$NEX.>", true],
  ["$NEX", "$NEX.>", false],
  ["*", "$NEX.>", false],
  ["*.>", "$NEX.>", true],
  ["a.b", "a.b", true],
  ["a.b", "a.c", false],
  ["a.b", "a", false],
  ["a.>", "a.b", true],
  ["a.>", "*.*", true],
  ["a.>", "a", false],
  ["a.b.>", "*.*", false],
  ["a.b.>", "a.>", true],
  ["a.>", "b.>", false],
  ["a*", "ab", false],
];

test("subjectsOverlap agrees with what can match both", () => {
  for (const [left, right, expected] of CASES) {
    assert.equal(subjectsOverlap(left, right), expected, `${left} and ${right}`);
    assert.equal(subjectsOverlap(right, left), expected, `${right} and ${left}`);
  }
});

/** Every literal subject of up to `length` tokens over an alphabet with a letter no pattern names. */
function literals(length: number): readonly string[] {
  const byLength: string[][] = [["a", "b", "z"]];
  while (byLength.length < length) {
    byLength.push(
      (byLength.at(-1) ?? []).flatMap((subject) => ["a", "b", "z"].map((last) => `${subject}.${last}`)),
    );
  }
  return byLength.flat();
}

/** NATS matching, written the plainest way. */
function matches(pattern: string, subject: string): boolean {
  const source = pattern
    .split(".")
    .map((token) => (token === ">" ? ".+" : token === "*" ? "[^.]+" : token))
    .join(String.raw`\.`);
  return new RegExp(`^${source}$`, "u").test(subject);
}

const ALL = literals(5);

test("subjectsOverlap agrees with enumerating all subjects", () => {
  const token = fc.constantFrom("a", "b", "*");
  const pattern = fc
    .tuple(fc.array(token, { minLength: 1, maxLength: 3 }), fc.boolean())
    .map(([tokens, open]) => [...tokens, ...(open ? [">"] : [])].join("."));
  fc.assert(
    fc.property(pattern, pattern, (left, right) => {
      const expected = ALL.some((subject) => matches(left, subject) && matches(right, subject));
      assert.equal(subjectsOverlap(left, right), expected);
      assert.equal(subjectsOverlap(right, left), expected);
    }),
    { numRuns: 300 },
  );
});

test("subjectsOverlap takes a misplaced > for the end, on the safe side", () => {
  assert.ok(subjectsOverlap("$NEX.>.x", "$NEX.PING"));
});

test("findDeniedTrigger always denies system subjects and names the offender", () => {
  assert.equal(findDeniedTrigger(["ok", "$SYS.REQ"]), "$SYS.REQ");
  assert.equal(findDeniedTrigger(["$JS.API.>"]), "$JS.API.>");
  assert.equal(findDeniedTrigger(["a.>", "ok"], ["a.b"]), "a.>");
  assert.equal(findDeniedTrigger(["ok", "a.c"], ["a.b"]), undefined);
  assert.equal(findDeniedTrigger([], [">"]), undefined);
});
