import assert from "node:assert/strict";
import { test } from "node:test";
import { loadTestFunction } from "../../../test/support/function-kit.ts";
import { until } from "../../../test/support/until.ts";
import { createFailureText } from "./failure-text.ts";

const NONE = new Uint8Array(0);
const STACK = `Error: no
    at inner (file:///hellots:1:1)
    at Proxy.<anonymous> (nex:guest:5:6)
    at async file:///hellots:9:7
    at nex:guest:1:2`;

test("A failure text has the first place of the function, and a trace of its own frames", () => {
  const plain = createFailureText("file:///hellots", undefined);
  assert.deepEqual(plain({ message: "Error: no", stack: STACK }), {
    message: "Error: no (hellots:1:1)",
    trace: "Error: no\n    at inner (hellots:1:1)\n    at async hellots:9:7",
  });
  assert.deepEqual(plain({ message: "plain", stack: "" }), { message: "plain", trace: undefined });
});

test("A failure text names the author's files where the source map knows them", () => {
  const map = JSON.stringify({ version: 3, sources: ["lib/inner.ts"], mappings: "AAEC" });
  const describe = createFailureText("file:///hellots", map);
  for (const round of ["first", "again"]) {
    assert.deepEqual(
      describe({ message: "Error: no", stack: STACK }),
      {
        message: "Error: no (lib/inner.ts:3:2)",
        trace: "Error: no\n    at inner (lib/inner.ts:3:2)\n    at async hellots:9:7",
      },
      round,
    );
  }
});

test("A failure text takes at most 20 frames", () => {
  const stack = Array.from({ length: 90 }, (_, index) => `    at file:///hellots:${index + 1}:1`).join("\n");
  const { trace } = createFailureText("file:///hellots", undefined)({ message: "m", stack });
  assert.equal(trace?.split("\n").length, 21);
});

test("A JavaScript function that throws leaves its stack in the log, after what it has logged", async () => {
  await using loaded = await loadTestFunction({
    source: "const inner = () => {\n  null.x;\n};\n(subject) => { console.log('before'); inner(); }",
  });
  await loaded.invoke("a", NONE);
  await until(() => loaded.lines.length === 2);
  assert.deepEqual(loaded.lines, [
    ["info", "before"],
    [
      "error",
      "TypeError: Cannot read properties of null (reading 'x')\n    at inner (echojs:2:8)\n    at echojs:4:39",
    ],
  ]);
});

test("A JavaScript function cannot make its stack anything but text of the log", async () => {
  const stacks = [
    "5",
    "{ toString() { throw 1 } }",
    "Symbol()",
    "'    at file:///echojs:1:1'.repeat(1e6)",
    "null",
  ];
  for (const stack of stacks) {
    await using loaded = await loadTestFunction({
      source: `() => { const error = new Error("mine"); error.stack = ${stack}; throw error; }`,
    });
    const outcome = await loaded.invoke("a", NONE);
    assert.match(outcome.kind === "failed" ? outcome.message : "", /^Error: mine/, stack);
  }
});
