import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { bodyOf, bodyText, failureOf, loadTestFunction } from "../../../test/support/function-kit.ts";
import type { TestFunction, TestFunctionOptions } from "../../../test/support/function-kit.ts";
import { until } from "../../../test/support/until.ts";
import { buildModule, op, word, writeBytes } from "../../../test/support/wasm-builder.ts";
import type { ModuleOptions } from "../../../test/support/wasm-builder.ts";

const NONE = new Uint8Array(0);
const ECHO = readFileSync(new URL("../../../examples/wasm/echofunction/echofunction.wasm", import.meta.url));

async function load(
  module: ModuleOptions,
  options: Partial<TestFunctionOptions> = {},
): Promise<TestFunction> {
  return loadTestFunction({ type: "wasm", source: buildModule(module), ...options });
}

test("A WebAssembly function answers payload and subject, byte for byte", async () => {
  await using echo = await loadTestFunction({ type: "wasm", source: ECHO });
  assert.equal(bodyText(await echo.invoke("wasm.echo", Buffer.from("hello"))), "hellowasm.echo");
  assert.equal(bodyText(await echo.invoke("wasm.ü.🎈", NONE)), "wasm.ü.🎈");
  const every = Uint8Array.from({ length: 256 }, (_, value) => value);
  const mebibyte = Buffer.alloc(1024 * 1024, every);
  for (const payload of [every, mebibyte, Buffer.from("xsecretx").subarray(1, 7)]) {
    const body = bodyOf(await echo.invoke("s", payload));
    assert.ok(Buffer.concat([payload, Buffer.from("s")]).equals(body));
    assert.equal(body.byteLength, body.buffer.byteLength);
  }
});

test("A WebAssembly function runs as a new instance each time", async () => {
  const increment = [op.i32(64), op.i32(64), op.load(), op.i32(1), op.add, op.store()].flat();
  await using loaded = await load({
    wasi: ["fd_write"],
    start: [...increment, ...writeBytes(0, 1, 64, 4)],
    data: [{ offset: 64, bytes: word(40) }],
  });
  for (let times = 0; times < 3; times++) {
    assert.deepEqual([...bodyOf(await loaded.invoke("a", NONE))], word(41));
  }
});

test("A WebAssembly function's output is all of stdout; without any it is empty", async () => {
  const data = [{ offset: 100, bytes: "onetwo" }];
  await using loaded = await load({
    wasi: ["fd_write"],
    start: [...writeBytes(0, 1, 100, 3), ...writeBytes(0, 1, 103, 3)],
    data,
  });
  assert.equal(bodyText(await loaded.invoke("a", NONE)), "onetwo");
  await using silent = await load({});
  assert.equal(bodyText(await silent.invoke("a", NONE)), "");
});

test("A WebAssembly function's stderr goes to the log at error level, line by line", async () => {
  await using loaded = await load({
    wasi: ["fd_write"],
    start: [...writeBytes(0, 2, 100, 8), ...writeBytes(0, 1, 100, 3)],
    data: [{ offset: 100, bytes: "one\ntwo!" }],
  });
  assert.equal(bodyText(await loaded.invoke("a", NONE)), "one");
  await loaded.invoke("a", NONE);
  await until(() => loaded.lines.length === 4);
  const lines = [
    ["error", "one"],
    ["error", "two!"],
  ];
  assert.deepEqual(loaded.lines, [...lines, ...lines]);
});

test("A WebAssembly function's exit code decides", async () => {
  const exitWith = (code: number): ModuleOptions => ({
    wasi: ["proc_exit", "fd_write"],
    start: [...writeBytes(1, 1, 100, 2), ...op.i32(code), ...op.call(0), ...op.unreachable],
    data: [{ offset: 100, bytes: "ok" }],
  });
  await using fine = await load(exitWith(0));
  assert.equal(bodyText(await fine.invoke("a", NONE)), "ok");
  await using seven = await load(exitWith(7));
  for (let times = 0; times < 2; times++) {
    assert.deepEqual(failureOf(await seven.invoke("a", NONE)), [
      "exit-code",
      "wasm function exited with code 7",
    ]);
  }
});

test("A WebAssembly function that traps fails with the cause, and the next invocation works", async () => {
  const cases: readonly (readonly [start: readonly number[], message: RegExp])[] = [
    [op.unreachable, /^wasm execution trapped: unreachable$/],
    [[...op.i32(-4), ...op.load(), ...op.drop], /^wasm execution trapped: memory access out of bounds$/],
    [op.call(0), /^wasm execution trapped: Maximum call stack size exceeded$/],
  ];
  for (const [start, message] of cases) {
    await using loaded = await load({ start });
    for (let times = 0; times < 2; times++) {
      const [failure, text] = failureOf(await loaded.invoke("a", NONE));
      assert.equal(failure, "trap");
      assert.match(text, message);
    }
  }
});

test("A WebAssembly function sees its environment", async () => {
  await using loaded = await load(
    {
      wasi: ["environ_get", "fd_write"],
      start: [op.i32(200), op.i32(300), op.call(0), op.drop, writeBytes(1, 1, 300, 14)].flat(),
    },
    { environment: { A: "1", LANG: "dé" } },
  );
  assert.equal(bodyText(await loaded.invoke("a", NONE)), "A=1\0LANG=dé\0\0");
});

test("A WebAssembly function gets real random bytes, as many as it wants", async () => {
  await using loaded = await load({
    wasi: ["random_get", "fd_write"],
    start: [op.i32(100), op.i32(20_000), op.call(0), op.drop, writeBytes(1, 1, 100, 20_000)].flat(),
  });
  const first = bodyOf(await loaded.invoke("a", NONE));
  const second = bodyOf(await loaded.invoke("a", NONE));
  assert.equal(first.length, 20_000);
  assert.equal(new Set(first).size, 256);
  assert.ok(!Buffer.from(first).equals(second));
});

test("A WebAssembly function sleeps", async () => {
  await using loaded = await load({
    wasi: ["poll_oneoff"],
    start: [op.i32(100), op.i32(300), op.i32(1), op.i32(400), op.call(0), op.drop].flat(),
    data: [{ offset: 124, bytes: word(20e6) }],
  });
  const outcome = await loaded.invoke("a", NONE);
  assert.equal(bodyText(outcome), "");
  assert.ok(outcome.runtimeNs >= 20e6, String(outcome.runtimeNs));
});

test("A WebAssembly function's memory does not grow beyond the limit", async () => {
  const storeGrown = (address: number, pages: number): number[] =>
    [op.i32(address), op.i32(pages), op.growMemory, op.store()].flat();
  await using loaded = await load(
    {
      wasi: ["fd_write"],
      start: [...storeGrown(100, 16), ...storeGrown(104, 15), ...writeBytes(0, 1, 100, 8)],
    },
    { limits: { memoryMiB: 1 } },
  );
  assert.deepEqual([...bodyOf(await loaded.invoke("a", NONE))], [...word(-1), ...word(1)]);
});

test("A WebAssembly module that is refused says why", async (context) => {
  const cases: readonly (readonly [title: string, module: ModuleOptions, problem: string])[] = [
    [
      "foreign import",
      { imports: [{ module: "env", name: "abort", type: { parameters: ["i32"], results: [] } }] },
      'unsupported import of function "env"."abort", functions get only WASI preview 1 and "nex"',
    ],
    [
      "older WASI",
      { imports: [{ module: "wasi_unstable", name: "fd_write", type: { parameters: [], results: [] } }] },
      'unsupported import of function "wasi_unstable"."fd_write", functions get only WASI preview 1 and "nex"',
    ],
    [
      "inherited name",
      {
        imports: [
          { module: "wasi_snapshot_preview1", name: "constructor", type: { parameters: [], results: [] } },
        ],
      },
      'unsupported import of function "wasi_snapshot_preview1"."constructor", functions get only WASI preview 1 and "nex"',
    ],
    [
      "imported memory",
      { importedMemory: true, memory: false, exports: ["_start"] },
      'unsupported import of memory "env"."memory", functions get only WASI preview 1 and "nex"',
    ],
    ["no _start", { exports: ["memory"] }, 'no exported function "_start", it is not a WASI command'],
    ["no memory", { memory: false, exports: ["_start"] }, 'no exported memory "memory"'],
    ["too much memory", { memory: { initial: 65 * 16 } }, "it needs 65 MiB of memory, the limit is 64 MiB"],
  ];
  for (const [title, module, problem] of cases) {
    await context.test(title, async () => {
      const message = `failed to compile module: ${problem}`;
      await assert.rejects(load(module), { code: "FUNCTION_INVALID", message });
    });
  }
  await context.test("not a module", async () => {
    const message = "failed to compile module: it does not start like a WebAssembly module";
    const source = "(s, p) => p";
    await assert.rejects(loadTestFunction({ type: "wasm", source }), { code: "FUNCTION_INVALID", message });
  });
  await context.test("invalid code", async () => {
    const expected = {
      code: "FUNCTION_INVALID",
      message: /^failed to compile module: Compiling function #0/,
    };
    await assert.rejects(load({ start: op.drop }), expected);
  });
});

test("A WebAssembly function runs one invocation at a time, in order", async () => {
  await using echo = await loadTestFunction({ type: "wasm", source: ECHO });
  const subjects = Array.from({ length: 20 }, (_, index) => `s${index}`);
  const settled: string[] = [];
  await Promise.all(
    subjects.map(async (subject) => {
      settled.push(bodyText(await echo.invoke(subject, NONE)));
    }),
  );
  assert.deepEqual(settled, subjects);
});
