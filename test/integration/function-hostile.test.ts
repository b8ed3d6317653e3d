// Functions that mean harm. Each runs in a process of its own, because some of them end it: that is the promise.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionLimits } from "../../src/functions/function.ts";
import { runFunctionProcess } from "../support/function-process.ts";
import type { Ended } from "../support/function-process.ts";
import { buildModule, op, word, writeBytes } from "../support/wasm-builder.ts";
import type { ModuleOptions } from "../support/wasm-builder.ts";
import type { FunctionEvent } from "./fixtures/function-process.ts";

const LIMITS: FunctionLimits = { timeoutMs: 300, memoryMiB: 32 };
/** For bombs: the memory limit must be what ends them. */
const PATIENT: FunctionLimits = { timeoutMs: 30_000, memoryMiB: 32 };
const TIMEOUT: FunctionEvent = ["failed", "timeout", "v8 execution timed out after 300ms"];
const FINE: FunctionEvent = ["succeeded", '"fine"'];

/** Runs `body` on the subject `harm`, answers "fine" to others. */
async function runJavaScript(body: string, limits: FunctionLimits = LIMITS): Promise<Ended> {
  const source = `(subject) => { if (subject === 'fine') return 'fine'; ${body} }`;
  return runFunctionProcess({ type: "v8", source: Buffer.from(source), limits });
}

/** The same, with host calls that stop the thread the function runs on. */
async function runBlocking(body: string, limits: FunctionLimits = LIMITS): Promise<Ended> {
  const source = `(subject) => { if (subject === 'fine') return 'fine'; ${body} }`;
  return runFunctionProcess({ type: "v8", source: Buffer.from(source), limits, blocks: true });
}

async function runModule(module: ModuleOptions, limits: FunctionLimits = LIMITS): Promise<Ended> {
  return runFunctionProcess({ type: "wasm", source: buildModule(module), limits });
}

test(
  "A JavaScript function that does not end is ended, and the next invocation works",
  { concurrency: 2 },
  async (context) => {
    const bodies = {
      "an endless loop": "for (;;);",
      "a loop that catches": "for (;;) try { for (;;); } catch { continue }",
      "a loop in finally": "try { for (;;); } finally { for (;;); }",
      "a loop that allocates": "for (;;) new Array(100).fill(1)",
      "a regular expression": "return /^(a|a)*$/.test('a'.repeat(40) + 'b')",
      "a promise that never settles": "return new Promise(() => {})",
      "a thenable that never settles": "return { then() {} }",
      "endless microtasks": "const spin = async () => { for (;;) await 1 }; spin(); spin(); return spin()",
      "a loop after its result": "Promise.resolve().then(() => { for (;;); }); return 'fine'",
      "a loop in toJSON": "return { toJSON() { for (;;); } }",
      "a loop in the text of an error":
        "throw { get [Symbol.toStringTag]() { for (;;); }, toString() { for (;;); }, get stack() { for (;;); } , ownKeys: new Proxy({}, { ownKeys() { for (;;); } }) }",
      "a host call that is never answered": "hostServices.kv.get('x')",
      "a host call in a loop that catches": "for (;;) try { hostServices.kv.get('x') } catch {}",
      "a loop after a timer": "return new Promise((done) => setTimeout(done, 1)).then(() => { for (;;); })",
      "an interval that never ends": "setInterval(() => {}, 0); return new Promise(() => {})",
      "an asynchronous call that is never answered": "return hostServices.async.kv.get('x')",
      "a loop after a host call": "try { hostServices.kv.get('x') } catch {} for (;;);",
    };
    const all = Object.entries(bodies).map(async ([title, body]) =>
      context.test(title, async () => {
        const { said: _said, ...ended } = await runJavaScript(body);
        assert.deepEqual(ended, {
          events: [TIMEOUT, FINE, TIMEOUT, FINE],
          killed: false,
        });
      }),
    );
    await Promise.all(all);
  },
);

test(
  "A function that stops its thread in host calls is ended at its time limit, and the next invocation works",
  { concurrency: 2 },
  async (context) => {
    const bodies = {
      "one call": "hostServices.kv.get('x')",
      "a call in a loop that catches": "for (;;) try { hostServices.kv.get('x') } catch {}",
      "a loop after a call": "try { hostServices.kv.get('x') } finally { for (;;); }",
      "a result after a late call": "try { hostServices.kv.get('x') } catch {} return 'late'",
      "a call in a later turn":
        "return new Promise((done) => setTimeout(done, 1)).then(() => { for (;;) try { hostServices.kv.get('x') } catch {} })",
      "an asynchronous function":
        "return (async () => { await 1; try { hostServices.kv.get('x') } catch {} })()",
    };
    const all = Object.entries(bodies).map(async ([title, body]) =>
      context.test(title, async () => {
        const { events, killed } = await runBlocking(body);
        assert.deepEqual(events, [TIMEOUT, FINE, TIMEOUT, FINE]);
        assert.equal(killed, false);
      }),
    );
    await Promise.all(all);
  },
);

test("A function that waits long for the host is not taken for one that hangs", async () => {
  const { events, killed } = await runBlocking(
    "try { hostServices.kv.get('slow') } catch ({ message }) { return message }",
    PATIENT,
  );
  assert.deepEqual(events[0], ["succeeded", '"no answer (500)"']);
  assert.equal(killed, false);
});

test("A host that never answers costs the process, with the reason", async () => {
  const { events, killed, said } = await runBlocking("hostServices.kv.get('never')");
  assert.deepEqual(events, []);
  assert.equal(killed, true);
  assert.match(said, /execution does not stop after its time limit/);
});

test("A JavaScript function that loops while it is set up is ended each time", async () => {
  const { events, killed } = await runFunctionProcess({
    type: "v8",
    source: Buffer.from("for (;;);"),
    limits: LIMITS,
  });
  assert.deepEqual(events, [TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT]);
  assert.equal(killed, false);
});

test("A JavaScript function that was ended keeps its log", async () => {
  const { events } = await runJavaScript(
    "console.log('one'); console.warn('two'); console.error('three'); for (;;);",
  );
  assert.deepEqual(
    events.filter(([kind]) => kind === "log"),
    [1, 2].flatMap(() => [
      ["log", "info", "one"],
      ["log", "warn", "two"],
      ["log", "error", "three"],
    ]),
  );
});

test(
  "A JavaScript function that recurses or asks for too large a buffer throws and works on",
  { concurrency: 2 },
  async (context) => {
    const bodies = {
      "deep recursion": ["(function deep() { deep() })()", /^RangeError: Maximum call stack size exceeded/],
      "typed arrays": [
        "const all = []; for (;;) all.push(new Uint8Array(1048576).fill(1))",
        /^RangeError: Array buffer allocation failed/,
      ],
      "a long string": ["let all = 'x'; for (;;) all += all + all", /^RangeError: Invalid string length/],
    } as const;
    const all = Object.entries(bodies).map(async ([title, [body, message]]) =>
      context.test(title, async () => {
        const { events, killed } = await runJavaScript(body, PATIENT);
        assert.equal(killed, false);
        const [first = [], second, third = [], fourth] = events.filter(([kind]) => kind !== "log");
        assert.deepEqual([second, fourth], [FINE, FINE]);
        for (const [kind, failure, text] of [first, third]) {
          assert.deepEqual([kind, failure], ["failed", "exception"]);
          assert.match(String(text), message);
        }
      }),
    );
    await Promise.all(all);
  },
);

test(
  "A JavaScript function that takes too much memory ends its process, with the reason",
  { concurrency: 2 },
  async (context) => {
    const bodies = {
      objects: "const all = []; for (;;) all.push({ x: new Array(100).fill(1) })",
      "a big array": "return new Array(1e8).fill(1.5).length",
      "a growing array": "const all = []; for (let i = 0; ; i++) all[i] = i",
      strings: "const all = []; for (;;) all.push('x'.repeat(1048576) + all.length)",
      "buffers that grow later":
        "const all = []; for (;;) { const b = new ArrayBuffer(8, { maxByteLength: 1e9 }); b.resize(1e8); new Uint8Array(b).fill(1); all.push(b) }",
      "a bomb in a timer":
        "return new Promise(() => setTimeout(() => { const all = []; for (;;) all.push(new Array(1000).fill({})) }, 1))",
      "copies of copies":
        "let all = { x: 'x'.repeat(1000) }; for (;;) all = [structuredClone(all), structuredClone(all)]",
      "a promise with a bomb":
        "return (async () => { const all = []; for (;;) { await null; all.push(new Array(1000).fill({})) } })()",
    };
    const message = "v8 execution exceeded its memory limit of 32 MiB";
    const outOfMemory: FunctionEvent = ["failed", "out-of-memory", message];
    const all = Object.entries(bodies).map(async ([title, body]) =>
      context.test(title, async () => {
        const { events, killed, said } = await runJavaScript(body, PATIENT);
        if (events.length === 0) {
          // The engine never came back; the watchdog's reason is what the caller is told by the node.
          assert.match(
            said,
            /^nex-agent: execution exceeded its memory limit: (?:the process grew by \d+ MiB|the engine has given up)$/m,
          );
        } else {
          assert.deepEqual(events[0], outOfMemory);
          assert.equal(events.filter(([kind]) => kind === "fatal").length, 1);
        }
        assert.ok(!events.some(([kind]) => kind === "succeeded"), "the engine was used again");
        assert.equal(killed, true);
      }),
    );
    await Promise.all(all);
  },
);

test("A JavaScript function that no timeout stops ends in time, or its process does", async () => {
  const { events, killed, said } = await runJavaScript("let x = 3n; for (;;) x *= x");
  if (events.length === 0) {
    assert.equal(killed, true);
    assert.match(said, /^nex-agent: execution does not stop after its time limit$/m);
    return;
  }
  assert.deepEqual(events[0], TIMEOUT);
  const fatal = events.some(([kind]) => kind === "fatal");
  assert.equal(killed, fatal);
  if (!fatal) assert.deepEqual(events[1], FINE);
});

test("A WebAssembly function that does not end is ended, each time", { concurrency: 2 }, async (context) => {
  const modules: Readonly<Record<string, ModuleOptions>> = {
    "an endless loop": { start: op.loop(op.branch(0)) },
    "a loop while it is instantiated": { start: op.loop(op.branch(0)), startSection: true },
    "a loop of system calls": { wasi: ["sched_yield"], start: op.loop(op.call(0), op.drop, op.branch(0)) },
    "a long sleep": {
      wasi: ["poll_oneoff"],
      start: [op.i32(100), op.i32(300), op.i32(1), op.i32(400), op.call(0), op.drop].flat(),
      data: [{ offset: 124, bytes: [...word(0), ...word(0xffff)] }],
    },
  };
  const timeout: FunctionEvent = ["failed", "timeout", "wasm execution timed out after 300ms"];
  const all = Object.entries(modules).map(async ([title, module]) =>
    context.test(title, async () => {
      const events = [timeout, timeout, timeout, timeout];
      const ended = await runModule(module);
      assert.deepEqual([ended.events, ended.killed], [events, false]);
    }),
  );
  await Promise.all(all);
});

test("A WebAssembly function that was ended keeps what it wrote", async () => {
  const { events } = await runModule({
    wasi: ["fd_write"],
    start: [...writeBytes(0, 2, 100, 4), ...writeBytes(0, 2, 104, 7), ...op.loop(op.branch(0))],
    data: [{ offset: 100, bytes: "one\ntwo\nend" }],
  });
  assert.deepEqual(
    events.filter(([kind]) => kind === "log"),
    Array.from({ length: 4 }, () => [
      ["log", "error", "one"],
      ["log", "error", "two"],
      ["log", "error", "end"],
    ]).flat(),
  );
});

test("A WebAssembly function that fills its memory every time works on", async () => {
  const fill = [
    op.i32(31 * 16),
    op.growMemory,
    op.drop,
    op.i32(0),
    op.i32(7),
    op.i32(31 * 16 * 65_536),
    op.fillMemory,
  ];
  const { events, killed } = await runModule({ start: fill.flat() }, PATIENT);
  assert.deepEqual(
    events,
    Array.from({ length: 4 }, () => ["succeeded", ""]),
  );
  assert.equal(killed, false);
});

test("A WebAssembly function that writes without end gets an error, not the host's memory", async () => {
  const write = [op.i32(1), op.i32(0), op.i32(1), op.i32(8), op.call(0)];
  const untilRefused = op.loop(...write, op.isZero, op.branchIf(0));
  const { events } = await runModule(
    {
      wasi: ["fd_write", "proc_exit"],
      start: [...untilRefused, ...op.i32(3), ...op.call(1)],
      data: [{ offset: 4, bytes: word(65_000) }],
    },
    PATIENT,
  );
  assert.deepEqual(events[0], ["failed", "exit-code", "wasm function exited with code 3"]);
});
