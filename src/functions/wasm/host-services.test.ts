// What a WebAssembly function sees of the host services (docs/webassembly.md), through a real isolate and a host that
// lives in memory. What it may try to break is here as well.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bodyOf,
  bodyText,
  failureOf,
  loadTestFunction,
  recordingHostServices,
} from "../../../test/support/function-kit.ts";
import type { TestFunction, TestFunctionOptions } from "../../../test/support/function-kit.ts";
import { buildNexModule } from "../../../test/support/nex-module.ts";
import type { CallNex } from "../../../test/support/nex-module.ts";
import { buildModule, op, writeBytes } from "../../../test/support/wasm-builder.ts";
import type { ModuleOptions } from "../../../test/support/wasm-builder.ts";
import { until } from "../../../test/support/until.ts";

const NONE = new Uint8Array(0);
const PAGE = 65_536;
/** Where the modules here keep a key, and where they read results to. */
const KEY = 100;
const RESULT = 1000;

type Start = (call: CallNex) => readonly (readonly number[])[];

async function load(
  start: Start,
  options: Partial<TestFunctionOptions> & { readonly module?: ModuleOptions } = {},
): Promise<TestFunction> {
  const { module, ...rest } = options;
  const source = buildNexModule(start, { data: [{ offset: KEY, bytes: "hello" }], ...module });
  return loadTestFunction({ type: "wasm", source, ...rest });
}

/** Keeps what instructions leave on the stack. */
const keepAt = (address: number, instructions: readonly number[]): number[] => [
  ...op.i32(address),
  ...instructions,
  ...op.store(),
];

/** The words that a module has written. */
const words = (bytes: Uint8Array): number[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getInt32(index * 4, true));
};

test("A WebAssembly function sets and gets a value, byte for byte", async () => {
  const stored = new Map<string, Uint8Array>();
  const hostServices = recordingHostServices(({ method, headers, body }) => {
    const key = headers["x-keyvalue-key"] ?? "";
    if (method === "get") return { body: stored.get(key) ?? NONE };
    stored.set(key, body);
    return { body: Buffer.from('{"success":true}') };
  });
  const start: Start = (call) => [
    keepAt(600, call("kv_set", KEY, 5, 0, 256)),
    keepAt(604, call("kv_get", KEY, 5)),
    keepAt(608, call("result_length")),
    keepAt(612, call("result_read", 0, RESULT, 1000)),
    writeBytes(0, 1, RESULT, 256),
    writeBytes(0, 1, 600, 16),
  ];
  const every = Array.from({ length: 256 }, (_, value) => value);
  await using loaded = await load(start, { hostServices, module: { data: [{ offset: 0, bytes: every }] } });
  for (let times = 0; times < 2; times++) {
    const body = bodyOf(await loaded.invoke("a", NONE));
    assert.deepEqual([[...body.subarray(0, 256)], words(body.slice(256))], [every, [200, 200, 256, 256]]);
  }
});

test("A WebAssembly function gets the code and the text of an error", async () => {
  const start: Start = (call) => [
    keepAt(64, call("kv_get", KEY, 5)),
    keepAt(68, call("result_read", 4, RESULT, 9)),
    writeBytes(0, 1, 64, 8),
    writeBytes(0, 1, RESULT, 9),
  ];
  await using loaded = await load(start, {
    hostServices: recordingHostServices(() => ({ code: 404, message: "key not found" })),
  });
  const body = bodyOf(await loaded.invoke("a", NONE));
  assert.deepEqual(words(body.subarray(0, 8)), [404, 9]);
  assert.equal(Buffer.from(body.subarray(8)).toString(), "not found");
});

test("A WebAssembly function that reads beyond the result gets what there is", async () => {
  const start: Start = (call) => [
    call("kv_get", KEY, 5),
    op.drop,
    keepAt(64, call("result_read", 3, RESULT, 100)),
    keepAt(68, call("result_read", 5, RESULT, 100)),
    keepAt(72, call("result_read", -1, RESULT, 100)),
    keepAt(76, call("result_read", 0, RESULT, 0)),
    keepAt(80, call("http_headers_read", 0, RESULT, 100)),
    writeBytes(0, 1, 64, 20),
  ];
  await using loaded = await load(start, {
    hostServices: recordingHostServices(() => ({ body: Buffer.from("value") })),
  });
  assert.deepEqual(words(bodyOf(await loaded.invoke("a", NONE))), [2, 0, 0, 0, 0]);
});

test("A WebAssembly function's pointers outside of its memory trap, and the host is not asked", async (context) => {
  const hostServices = recordingHostServices(() => ({ body: Buffer.from("value") }));
  const cases: Readonly<Record<string, readonly [call: Start, message: string]>> = {
    "a name that ends outside": [
      (call) => [call("kv_get", PAGE - 4, 5), op.drop],
      `nex.kv_get: 5 bytes at ${PAGE - 4} lie outside of the memory`,
    ],
    "a name of a huge length": [
      (call) => [call("kv_get", KEY, -1), op.drop],
      `nex.kv_get: 4294967295 bytes at ${KEY} lie outside of the memory`,
    ],
    "a name at the end of the address space": [
      (call) => [call("kv_get", -1, 2), op.drop],
      "nex.kv_get: 2 bytes at 4294967295 lie outside of the memory",
    ],
    "a body outside": [
      (call) => [call("kv_set", KEY, 5, PAGE, 1), op.drop],
      `nex.kv_set: 1 bytes at ${PAGE} lie outside of the memory`,
    ],
    "a subject's body of nearly four gibibytes": [
      (call) => [call("messaging_publish", KEY, 5, 16, -16), op.drop],
      "nex.messaging_publish: 4294967280 bytes at 16 lie outside of the memory",
    ],
    "request headers outside": [
      (call) => [call("http_request", KEY, 3, KEY, 5, 2 * PAGE, 7, 0, 0, 0), op.drop],
      `nex.http_request: 7 bytes at ${2 * PAGE} lie outside of the memory`,
    ],
    "a place for the result outside": [
      (call) => [call("result_read", 0, PAGE - 1, 2), op.drop],
      `nex.result_read: 2 bytes at ${PAGE - 1} lie outside of the memory`,
    ],
    "a call while it is instantiated": [
      (call) => [call("kv_get", KEY, 5), op.drop],
      "nex.kv_get: 5 bytes at 100 lie outside of the memory",
    ],
  };
  for (const [title, [start, message]] of Object.entries(cases)) {
    await context.test(title, async () => {
      const module = {
        data: [{ offset: KEY, bytes: "hello" }],
        startSection: title.includes("instantiated"),
      };
      await using loaded = await load(start, { hostServices, module });
      for (let times = 0; times < 2; times++) {
        assert.deepEqual(failureOf(await loaded.invoke("a", NONE)), [
          "trap",
          `wasm execution trapped: ${message}`,
        ]);
      }
    });
  }
  assert.deepEqual(hostServices.calls, []);
});

test("A WebAssembly function's names and headers of more than 64 KiB are refused with 413", async () => {
  const hostServices = recordingHostServices(() => ({}));
  const start: Start = (call) => [
    keepAt(64, call("kv_get", 0, PAGE + 1)),
    keepAt(68, call("result_read", 0, RESULT, 100)),
    writeBytes(0, 1, RESULT, 56),
  ];
  await using loaded = await load(start, { hostServices, module: { memory: { initial: 2 } } });
  assert.equal(
    bodyText(await loaded.invoke("a", NONE)),
    "the name of 65537 bytes exceeds the limit of 65536 bytes",
  );
  assert.deepEqual(hostServices.calls, []);
});

test("A WebAssembly function reads nothing of another invocation's result", async () => {
  // Looks first, then leaves a result behind.
  const start: Start = (call) => [
    keepAt(64, call("result_length")),
    keepAt(68, call("result_read", 0, RESULT, 6)),
    keepAt(72, call("http_headers_read", 0, RESULT, 6)),
    call("kv_get", KEY, 5),
    op.drop,
    writeBytes(0, 1, 64, 12),
    writeBytes(0, 1, RESULT, 6),
  ];
  await using loaded = await load(start, {
    hostServices: recordingHostServices(() => ({ body: Buffer.from("secret") })),
  });
  for (let times = 0; times < 3; times++) {
    assert.deepEqual(
      [...bodyOf(await loaded.invoke("a", NONE))],
      Array.from({ length: 18 }, () => 0),
    );
  }
});

test("A WebAssembly function makes thousands of calls in one invocation", async () => {
  const hostServices = recordingHostServices(() => ({ body: Buffer.from("v") }));
  const start: Start = (call) => [
    op.loop(
      call("kv_get", KEY, 5),
      op.drop,
      [...op.i32(64), ...op.i32(64), ...op.load(), ...call("result_length"), ...op.add, ...op.store()],
      [...op.i32(64), ...op.load(), ...op.i32(-3000), ...op.add, ...op.branchIf(0)],
    ),
    writeBytes(0, 1, 64, 4),
  ];
  await using loaded = await load(start, { hostServices, limits: { timeoutMs: 60_000 } });
  assert.deepEqual(words(bodyOf(await loaded.invoke("a", NONE))), [3000]);
  assert.equal(hostServices.calls.length, 3000);
});

test("A WebAssembly function's memory may grow between a call and the reading of its result", async () => {
  const start: Start = (call) => [
    call("kv_get", KEY, 5),
    op.drop,
    [...op.i32(15), ...op.growMemory, ...op.drop],
    keepAt(64, call("result_read", 0, 10 * PAGE, 5)),
    writeBytes(0, 1, 10 * PAGE, 5),
  ];
  await using loaded = await load(start, {
    hostServices: recordingHostServices(() => ({ body: Buffer.from("value") })),
  });
  for (let times = 0; times < 2; times++) assert.equal(bodyText(await loaded.invoke("a", NONE)), "value");
});

test("A WebAssembly function's result is larger than its memory; it reads it in parts", async () => {
  const body = new Uint8Array(3 * PAGE).fill(7);
  const read =
    (offset: number): Start =>
    (call) => [call("result_read", offset, 32_768, 32_768), op.drop, writeBytes(0, 1, 32_768, 32_768)];
  const start: Start = (call) => [
    call("kv_get", KEY, 5),
    op.drop,
    ...[0, 1, 2, 3, 4, 5].flatMap((part) => read(part * 32_768)(call)),
  ];
  await using loaded = await load(start, { hostServices: recordingHostServices(() => ({ body })) });
  assert.ok(Buffer.from(body).equals(bodyOf(await loaded.invoke("a", NONE))));
});

test("A WebAssembly module that imports an unknown function of nex is refused by its name", async () => {
  const type = { parameters: ["i32" as const], results: [] };
  for (const name of ["kv_increment", "constructor", "reset"]) {
    const source = buildModule({ imports: [{ module: "nex", name, type }] });
    await assert.rejects(loadTestFunction({ type: "wasm", source }), {
      code: "FUNCTION_INVALID",
      message: new RegExp(
        `^failed to compile module: unsupported import of function "nex"."${name}", it offers kv_get, kv_set, .*, result_read$`,
      ),
    });
  }
});

test("A WebAssembly function that declares wrong types traps, and so never reaches the host", async () => {
  const hostServices = recordingHostServices(() => ({}));
  const type = { parameters: ["i64" as const, "i64" as const], results: ["i32" as const] };
  const source = buildModule({
    imports: [{ module: "nex", name: "kv_get", type }],
    start: [op.i64(0), op.i64(5), op.call(0), op.drop].flat(),
  });
  await using loaded = await loadTestFunction({ type: "wasm", source, hostServices });
  const [failure, message] = failureOf(await loaded.invoke("a", NONE));
  assert.equal(failure, "trap");
  assert.match(message, /^wasm execution trapped: nex\.kv_get: .*BigInt/);
  assert.deepEqual(hostServices.calls, []);
});

test("A WebAssembly function that imports nex gets random bytes and a log as others do", async () => {
  const source = buildModule({
    wasi: ["random_get", "fd_write"],
    imports: [{ module: "nex", name: "result_length", type: { parameters: [], results: ["i32"] } }],
    start: [
      [...op.i32(RESULT), ...op.i32(20_000), ...op.call(0), ...op.drop],
      writeBytes(1, 2, KEY, 6),
      writeBytes(1, 1, RESULT, 20_000),
    ].flat(),
    data: [{ offset: KEY, bytes: "hello\n" }],
  });
  await using loaded = await loadTestFunction({ type: "wasm", source });
  const [first, second] = [bodyOf(await loaded.invoke("a", NONE)), bodyOf(await loaded.invoke("a", NONE))];
  assert.equal(new Set(first).size, 256);
  assert.ok(!Buffer.from(first).equals(second));
  await until(() => loaded.lines.length === 2);
  assert.deepEqual(loaded.lines[1], ["error", "hello"]);
});
