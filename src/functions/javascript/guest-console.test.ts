import assert from "node:assert/strict";
import { test } from "node:test";
import { guestConsole } from "./guest-console.ts";
import type { GuestConsole } from "./guest-console.ts";
import { guestInspect } from "./guest-inspect.ts";

function start(): GuestConsole & { readonly sent: string[][]; readonly lines: () => string[] } {
  const sent: string[][] = [];
  const output = guestConsole(guestInspect(), (batch) => sent.push(Array.from(batch)));
  return { ...output, sent, lines: () => sent.flat().filter((_, index) => index % 2 === 1) };
}

test("The guest's console formats like any console", () => {
  const { methods, flush, lines } = start();
  methods["log"]?.("%s is %d, %i, %f and %j%%", "it", "5", 5.9, "1.5", { a: 1 }, "rest", { b: 2 });
  methods["log"]?.("%o and %O without %c style", [1], { a: 1 }, "color: red");
  methods["log"]?.("100%", 1);
  methods["log"]?.("%s %s", "one");
  methods["log"]?.("%d", 5n);
  methods["log"]?.();
  flush();
  assert.deepEqual(lines(), [
    'it is 5, 5, 1.5 and {"a":1}% rest { b: 2 }',
    "[ 1 ] and { a: 1 } without  style",
    "100% 1",
    "one %s",
    "5n",
    "",
  ]);
});

test("The guest's console counts, times and indents", () => {
  const { methods, begin, flush, lines } = start();
  methods["count"]?.();
  methods["count"]?.("x");
  methods["count"]?.();
  methods["countReset"]?.();
  methods["count"]?.();
  methods["timeEnd"]?.("never started");
  methods["group"]?.("outer");
  methods["group"]?.();
  methods["log"]?.("inner");
  methods["groupEnd"]?.();
  methods["groupEnd"]?.();
  methods["groupEnd"]?.();
  methods["log"]?.("out");
  methods["group"]?.("left open");
  begin();
  methods["log"]?.("next");
  flush();
  const expected = [
    "default: 1",
    "x: 1",
    "default: 2",
    "default: 1",
    "outer",
    "    inner",
    "out",
    "left open",
    "next",
  ];
  assert.deepEqual(lines(), expected);
});

test("The guest's console hands the first line over at once and fast ones in batches", () => {
  const { methods, flush, sent, lines } = start();
  methods["log"]?.("first");
  assert.deepEqual(sent, [["info", "first"]]);
  for (let line = 0; line < 1000; line++) methods["warn"]?.(`line ${line}`);
  flush();
  flush();
  assert.equal(lines().length, 1001);
  assert.ok(sent.length < 500, `${sent.length} batches`);
});
