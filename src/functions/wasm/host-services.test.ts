// What a WebAssembly function sees of the host services (docs/webassembly.md), through a real isolate and a host that
// lives in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bodyOf,
  bodyText,
  loadTestFunction,
  recordingHostServices,
} from "../../../test/support/function-kit.ts";
import { KEY, keepAt, loadNexModule, readWords } from "../../../test/support/nex-module.ts";
import type { CallNex } from "../../../test/support/nex-module.ts";
import { buildModule, op, writeBytes } from "../../../test/support/wasm-builder.ts";
import { until } from "../../../test/support/until.ts";

const NONE = new Uint8Array(0);
const PAGE = 65_536;
/** Where the modules here read results to. */
const RESULT = 1000;

type Start = (call: CallNex) => readonly (readonly number[])[];

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
  await using loaded = await loadNexModule(start, {
    hostServices,
    module: { data: [{ offset: 0, bytes: every }] },
  });
  for (let times = 0; times < 2; times++) {
    const body = bodyOf(await loaded.invoke("a", NONE));
    assert.deepEqual([[...body.subarray(0, 256)], readWords(body.slice(256))], [every, [200, 200, 256, 256]]);
  }
});

test("A WebAssembly function gets the code and the text of an error", async () => {
  const start: Start = (call) => [
    keepAt(64, call("kv_get", KEY, 5)),
    keepAt(68, call("result_read", 4, RESULT, 9)),
    writeBytes(0, 1, 64, 8),
    writeBytes(0, 1, RESULT, 9),
  ];
  await using loaded = await loadNexModule(start, {
    hostServices: recordingHostServices(() => ({ code: 404, message: "key not found" })),
  });
  const body = bodyOf(await loaded.invoke("a", NONE));
  assert.deepEqual(readWords(body.subarray(0, 8)), [404, 9]);
  assert.equal(Buffer.from(body.subarray(8)).toString(), "not found");
});

test("A WebAssembly function asks for http with a method in either case, headers, a body and its redirects", async () => {
  const hostServices = recordingHostServices(() => ({ body: Buffer.from('{"status":302,"body":""}') }));
  const [method, url, headers] = ["PoSt", "http://a/b", "X-A: 1\n"];
  const start: Start = (call) => [
    keepAt(64, call("http_request", 200, 4, 300, 10, 400, 7, KEY, 5, 1)),
    keepAt(68, call("http_status")),
    writeBytes(0, 1, 64, 8),
  ];
  await using loaded = await loadNexModule(start, {
    hostServices,
    module: {
      data: [
        { offset: KEY, bytes: "hello" },
        { offset: 200, bytes: method },
        { offset: 300, bytes: url },
        { offset: 400, bytes: headers },
      ],
    },
  });
  assert.deepEqual(readWords(bodyOf(await loaded.invoke("a", NONE))), [200, 302]);
  const sent = { "x-http-url": url, "x-http-headers": '{"X-A":["1"]}', "x-http-redirect": "manual" };
  assert.deepEqual(
    hostServices.calls.map((call) => [call.method, call.headers, Buffer.from(call.body).toString()]),
    [["post", sent, "hello"]],
  );
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
  await using loaded = await loadNexModule(start, {
    hostServices: recordingHostServices(() => ({ body: Buffer.from("value") })),
  });
  assert.deepEqual(readWords(bodyOf(await loaded.invoke("a", NONE))), [2, 0, 0, 0, 0]);
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
  await using loaded = await loadNexModule(start, { hostServices, limits: { timeoutMs: 60_000 } });
  assert.deepEqual(readWords(bodyOf(await loaded.invoke("a", NONE))), [3000]);
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
  await using loaded = await loadNexModule(start, {
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
  await using loaded = await loadNexModule(start, { hostServices: recordingHostServices(() => ({ body })) });
  assert.ok(Buffer.from(body).equals(bodyOf(await loaded.invoke("a", NONE))));
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
