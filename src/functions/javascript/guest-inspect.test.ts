import assert from "node:assert/strict";
import { test } from "node:test";
import { guestInspect } from "./guest-inspect.ts";

const inspect = guestInspect();

test("Inspect shows values as a programmer writes them", () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  class Point {
    readonly x = 1;
  }
  const cases: readonly (readonly [value: unknown, text: string])[] = [
    [undefined, "undefined"],
    [null, "null"],
    [-0, "-0"],
    [5n, "5n"],
    ["a\nb", '"a\\nb"'],
    [Symbol("s"), "Symbol(s)"],
    [[], "[]"],
    [{}, "{}"],
    [[1, [2, ["x"]]], '[ 1, [ 2, [ "x" ] ] ]'],
    [{ a: 1, "b-c": { d: null }, [Symbol("s")]: 2 }, '{ a: 1, "b-c": { d: null }, [Symbol(s)]: 2 }'],
    [new Point(), "Point { x: 1 }"],
    [Object.create(null), "[Object: null prototype] {}"],
    [new Map([["k", { v: 1 }]]), 'Map(1) { "k" => { v: 1 } }'],
    [new Set([1, 2]), "Set(2) { 1, 2 }"],
    [Uint8Array.of(1, 2), "Uint8Array(2) [ 1, 2 ]"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [new Date(Number.NaN), "Invalid Date"],
    [/x/g, "/x/g"],
    [() => 1, "[Function: (anonymous)]"],
    [Promise.resolve(1), "Promise {}"],
    [circular, "{ self: [Circular] }"],
    [
      {
        get secret() {
          return 1;
        },
      },
      "{ secret: [Getter] }",
    ],
    [[[[[[["deep"]]]]]], "[ [ [ [ [ [Array] ] ] ] ] ]"],
  ];
  for (const [value, text] of cases) assert.equal(inspect(value), text);
});

test("Inspect bounds what it shows", () => {
  assert.match(inspect(Array.from({ length: 1000 }, () => 0)), /, 0, \.\.\. 900 more \]$/);
  assert.match(inspect(new Uint8Array(1e6)), /^Uint8Array\(1000000\) \[ 0, .*\.\.\. 999900 more \]$/);
  assert.ok(inspect("x".repeat(1e6)).length < 10_000);
});

test("Inspect shows an error with its stack", () => {
  const error = new RangeError("too far");
  assert.ok(inspect(error).startsWith("RangeError: too far\n    at "));
  error.stack = "";
  assert.equal(inspect({ error }), "{ error: RangeError: too far }");
});
