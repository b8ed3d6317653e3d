// What a WebAssembly function may try with the import module nex, and does not get.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bodyOf,
  bodyText,
  failureOf,
  loadTestFunction,
  recordingHostServices,
} from "../../../test/support/function-kit.ts";
import { KEY, keepAt, loadNexModule } from "../../../test/support/nex-module.ts";
import type { CallNex } from "../../../test/support/nex-module.ts";
import { buildModule, op, writeBytes } from "../../../test/support/wasm-builder.ts";

const NONE = new Uint8Array(0);
const PAGE = 65_536;
/** Where the modules here read results to. */
const RESULT = 1000;

type Start = (call: CallNex) => readonly (readonly number[])[];

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
      await using loaded = await loadNexModule(start, { hostServices, module });
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
  await using loaded = await loadNexModule(start, { hostServices, module: { memory: { initial: 2 } } });
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
  await using loaded = await loadNexModule(start, {
    hostServices: recordingHostServices(() => ({ body: Buffer.from("secret") })),
  });
  for (let times = 0; times < 3; times++) {
    assert.deepEqual(
      [...bodyOf(await loaded.invoke("a", NONE))],
      Array.from({ length: 18 }, () => 0),
    );
  }
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
