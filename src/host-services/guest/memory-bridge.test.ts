import assert from "node:assert/strict";
import { test } from "node:test";
import { recordingHostServices } from "../../../test/support/function-kit.ts";
import type { HostServiceResult } from "./host-services.ts";
import { createMemoryBridge } from "./memory-bridge.ts";
import type { MemoryBridge, MemoryReply } from "./memory-bridge.ts";

interface Asked {
  readonly target?: string | Uint8Array;
  readonly body?: string;
  readonly headers?: string;
  readonly manualRedirect?: boolean;
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

async function ask(bridge: MemoryBridge, name: string, asked: Asked = {}): Promise<MemoryReply> {
  const [service, method] = name.split(".");
  const { target = "x", body = "", headers = "", manualRedirect = false } = asked;
  return bridge.call({
    service,
    method,
    target: typeof target === "string" ? bytes(target) : target,
    body: bytes(body),
    headers: bytes(headers),
    manualRedirect,
  });
}

/** Code and text of what a module gets when the service answers with `result`. */
async function replyTo(
  name: string,
  result: Partial<HostServiceResult>,
): Promise<readonly [code: number, text: string]> {
  const reply = await ask(createMemoryBridge(recordingHostServices(() => result)), name);
  assert.ok(reply !== undefined);
  return [reply[0], Buffer.from(reply[1]).toString("latin1")];
}

test("MemoryBridge sends texts as headers and the body as bytes", async () => {
  const hostServices = recordingHostServices(() => ({ body: bytes('{"status":200,"success":true}') }));
  const bridge = createMemoryBridge(hostServices);
  await ask(bridge, "kv.set", { target: "grüße", body: "héya" });
  await ask(bridge, "objectstore.put", { target: "file", body: "x" });
  await ask(bridge, "messaging.publish", { target: "a.b" });
  const headers = "accept: text/plain\r\nX-Two: 1\nX-Two:2\n\n";
  await ask(bridge, "http.get", { target: "https://example.org/ü", headers, manualRedirect: true });
  assert.deepEqual(
    hostServices.calls.map((call) => [
      call.service,
      call.method,
      call.headers,
      Buffer.from(call.body).toString(),
    ]),
    [
      ["kv", "set", { "x-keyvalue-key": "grüße" }, "héya"],
      ["objectstore", "put", { "x-object-name": "file" }, "x"],
      ["messaging", "publish", { "x-subject": "a.b" }, ""],
      [
        "http",
        "get",
        {
          "x-http-url": "https://example.org/%C3%BC",
          "x-http-headers": '{"accept":["text/plain"],"X-Two":["1","2"]}',
          "x-http-redirect": "manual",
        },
        "",
      ],
    ],
  );
});

test("MemoryBridge answers with bytes, JSON and lists of items after their lengths", async () => {
  const cases: readonly (readonly [name: string, body: string, result: string])[] = [
    ["kv.get", "raw\0\xff", "raw\0\xff"],
    ["messaging.request", "", ""],
    ["kv.set", '{"revision":7,"success":true}', ""],
    ["kv.delete", "", ""],
    ["kv.keys", '["a","bcd"]', "\x01\0\0\0a\x03\0\0\0bcd"],
    ["kv.keys", "null", ""],
    ["objectstore.list", '[{"name":"n"}]', '\x0c\0\0\0{"name":"n"}'],
    ["objectstore.put", '{"name": "n"}', '{"name":"n"}'],
    ["messaging.requestMany", '["aGV5YQ==",""]', "\x04\0\0\0heya\0\0\0\0"],
  ];
  for (const [name, body, result] of cases) {
    assert.deepEqual(await replyTo(name, { body: Buffer.from(body, "latin1") }), [200, result], name);
  }
});

test("MemoryBridge answers http with the body's bytes, the status and a line for each header", async () => {
  const answers = [
    { status: 201, headers: { "Content-Type": ["text/plain"], "Set-Cookie": ["a=1", "b=2"] }, body: "ü" },
    { status: 404, headers: null, body: "?", body_base64: "/w==" },
    { status: 204 },
  ];
  const replies = [];
  for (const answer of answers) {
    const body = bytes(JSON.stringify(answer));
    const reply = await ask(createMemoryBridge(recordingHostServices(() => ({ body }))), "http.get", {
      target: "https://example.org",
    });
    replies.push(
      reply?.map((part) => (typeof part === "number" ? part : Buffer.from(part).toString("latin1"))),
    );
  }
  assert.deepEqual(replies, [
    [200, "\xc3\xbc", 201, "Content-Type: text/plain\nSet-Cookie: a=1\nSet-Cookie: b=2\n"],
    [200, "\xff", 404, ""],
    [200, "", 204, ""],
  ]);
});

test("MemoryBridge answers failures with their code and text", async () => {
  assert.deepEqual(await replyTo("kv.get", { code: 404, message: "key not found" }), [404, "key not found"]);
  const refused = '{"success":false,"errors":["no","way"]}';
  assert.deepEqual(await replyTo("messaging.publish", { body: bytes(refused) }), [500, "no, way"]);
  assert.match((await replyTo("kv.keys", { body: bytes("{") })).join(" "), /^500 .*JSON/);
  assert.deepEqual(await replyTo("kv.keys", { body: bytes("{}") }), [500, "the answer is not a list"]);
  const large = await replyTo("kv.get", { body: new Uint8Array(32 * 1024 * 1024 + 1) });
  assert.deepEqual(large, [413, "the result exceeds the limit of 33554432 bytes"]);
  const broken = createMemoryBridge(recordingHostServices(() => Promise.reject(new Error("gone"))));
  assert.equal(Buffer.from((await ask(broken, "kv.get"))?.[1] ?? []).toString(), "gone");
});

test("MemoryBridge refuses what can't be sent, without asking the host", async () => {
  const hostServices = recordingHostServices(() => ({}));
  const bridge = createMemoryBridge(hostServices);
  const cases: readonly (readonly [name: string, asked: Asked, code: number, text: string])[] = [
    ["nope.get", {}, 404, "No such host service: nope"],
    ["kv.constructor", {}, 400, "unknown method"],
    ["http.", { target: "http://a" }, 400, "unknown method"],
    ["kv.get", { target: "a\nb" }, 400, '"a\\nb" holds a control character'],
    ["kv.get", { target: Uint8Array.of(0xff) }, 400, "the name is not valid UTF-8"],
    ["http.get", { target: "not a url" }, 400, 'parse "not a url": invalid URL'],
    [
      "http.get",
      { target: "http://a", headers: "nothing" },
      400,
      "invalid request headers: each is a line of a name, a colon and a value",
    ],
  ];
  for (const [name, asked, code, text] of cases) {
    const reply = await ask(bridge, name, asked);
    assert.deepEqual([reply?.[0], Buffer.from(reply?.[1] ?? []).toString()], [code, text], name);
  }
  assert.deepEqual(hostServices.calls, []);
});

test("MemoryBridge gives no answer after an abort", async () => {
  const bridge = createMemoryBridge(recordingHostServices(() => new Promise(() => {})));
  const call = ask(bridge, "kv.get");
  bridge.abort();
  assert.deepEqual([await call, await ask(bridge, "kv.get")], [undefined, undefined]);
});
