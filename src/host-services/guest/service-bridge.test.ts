import assert from "node:assert/strict";
import { test } from "node:test";
import { recordingHostServices } from "../../../test/support/function-kit.ts";
import { createServiceBridge } from "./service-bridge.ts";

const decoder = new TextDecoder();

test("ServiceBridge sends each service's target in its header, and the body as bytes", async () => {
  const hostServices = recordingHostServices(() => ({ body: Buffer.from('{"success":true}') }));
  const bridge = createServiceBridge(hostServices);
  await bridge.call({ service: "kv", method: "set", target: "greeting", body: "héya" });
  await bridge.call({ service: "objectstore", method: "put", target: "file", body: Uint8Array.of(0, 255) });
  await bridge.call({ service: "messaging", method: "publish", target: "a.b", body: "x" });
  await bridge.call({ service: "http", method: "get", target: "https://example.org/a?b=c" });
  await bridge.call({ service: "kv", method: "keys", target: "" });
  assert.deepEqual(
    hostServices.calls.map(({ service, method, headers, body }) => [
      service,
      method,
      headers,
      decoder.decode(body),
    ]),
    [
      ["kv", "set", { "x-keyvalue-key": "greeting" }, "héya"],
      ["objectstore", "put", { "x-object-name": "file" }, decoder.decode(Uint8Array.of(0, 255))],
      ["messaging", "publish", { "x-subject": "a.b" }, "x"],
      ["http", "get", { "x-http-url": "https://example.org/a?b=c" }, ""],
      ["kv", "keys", {}, ""],
    ],
  );
});

test("ServiceBridge turns answers into what the function expects", async () => {
  const cases: readonly (readonly [service: string, method: string, body: string, reply: unknown])[] = [
    ["kv", "get", "raw", new Uint8Array(Buffer.from("raw"))],
    ["kv", "get", "", new Uint8Array(0)],
    ["kv", "keys", '["a","b"]', '=["a","b"]'],
    ["kv", "keys", "null", "=[]"],
    ["kv", "set", '{"revision":7,"success":true}', undefined],
    ["kv", "delete", "", undefined],
    ["messaging", "publish", '{"success":false,"errors":["no","way"]}', "!no, way"],
    ["messaging", "publish", '{"success":false}', "!the call did not succeed"],
    ["messaging", "requestMany", '["aGV5YQ==",""]', [new Uint8Array(Buffer.from("heya")), new Uint8Array(0)]],
    ["messaging", "requestMany", "{}", "!the answer is not a list"],
    ["objectstore", "put", '{"name":"n"}', '={"name":"n"}'],
  ];
  for (const [service, method, body, reply] of cases) {
    const bridge = createServiceBridge(recordingHostServices(() => ({ body: Buffer.from(body) })));
    assert.deepEqual(
      await bridge.call({ service, method, target: "x" }),
      reply,
      `${service}.${method} ${body}`,
    );
  }
});

test("ServiceBridge answers failures with their text", async () => {
  const failing = createServiceBridge(
    recordingHostServices(() => ({ code: 404, message: "No such host service: kv" })),
  );
  assert.equal(
    await failing.call({ service: "kv", method: "get", target: "x" }),
    "!No such host service: kv (404)",
  );
  assert.equal(
    await failing.call({ service: "http", method: "get", target: "http://a" }),
    "!failed to complete HTTP request: No such host service: kv (404)",
  );
  const broken = createServiceBridge(recordingHostServices(() => Promise.reject(new Error("gone"))));
  assert.equal(await broken.call({ service: "kv", method: "get", target: "x" }), "!gone");
  const garbled = createServiceBridge(recordingHostServices(() => ({ body: Buffer.from("{") })));
  assert.match(String(await garbled.call({ service: "kv", method: "keys", target: "" })), /^!.*JSON/);
});

test("ServiceBridge refuses what can't be sent, without asking the host", async () => {
  const hostServices = recordingHostServices(() => ({}));
  const bridge = createServiceBridge(hostServices);
  const cases: readonly (readonly [service: unknown, method: unknown, target: unknown, reply: string])[] = [
    ["nope", "get", "x", "!No such host service: nope"],
    ["__proto__", "get", "x", "!No such host service: __proto__"],
    ["kv", "constructor", "x", "!unknown method"],
    ["kv", undefined, "x", "!unknown method"],
    ["kv", "get", "a\r\nx-other: b", '!"a\\r\\nx-other: b" holds a control character'],
    ["http", "get", "not a url", '!parse "not a url": invalid URL'],
  ];
  for (const [service, method, target, reply] of cases) {
    assert.equal(await bridge.call({ service, method, target }), reply);
  }
  assert.deepEqual(hostServices.calls, []);
});

test("ServiceBridge fails the call in flight and every later one after an abort", async () => {
  const bridge = createServiceBridge(recordingHostServices(() => new Promise(() => {})));
  const call = bridge.call({ service: "kv", method: "get", target: "x" });
  bridge.abort();
  assert.equal(await call, "!function has been stopped");
  assert.equal(
    await bridge.call({ service: "kv", method: "get", target: "x" }),
    "!function has been stopped",
  );
});
