import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { bodyText, decodeBody } from "./response-body.ts";

const plain = Buffer.from("héya ".repeat(1000));

test("decodeBody undoes every encoding that is asked for, also several and both kinds of deflate", async () => {
  const cases: readonly (readonly [encoding: string, body: Buffer])[] = [
    ["", plain],
    ["identity", plain],
    ["gzip", gzipSync(plain)],
    ["X-GZIP", gzipSync(plain)],
    ["deflate", deflateSync(plain)],
    ["deflate", deflateRawSync(plain)],
    ["br", brotliCompressSync(plain)],
    ["gzip, br", brotliCompressSync(gzipSync(plain))],
  ];
  for (const [encoding, body] of cases) {
    assert.deepEqual(await decodeBody(body, encoding, plain.length), plain, encoding);
  }
  assert.equal((await decodeBody(Buffer.alloc(0), "gzip", 10)).length, 0);
  const unknown = Buffer.from("what");
  assert.deepEqual(await decodeBody(unknown, "zstd", 10), unknown);
});

test("decodeBody ends a body that grows beyond the limit, and names a broken one", async () => {
  const bomb = gzipSync(Buffer.alloc(10_000_000));
  for (const body of [bomb, gzipSync(bomb)]) {
    const encoding = body === bomb ? "gzip" : "gzip, gzip";
    await assert.rejects(decodeBody(body, encoding, 100_000), { status: 413 });
  }
  await assert.rejects(decodeBody(brotliCompressSync(Buffer.alloc(1_000_000)), "br", 1000), { status: 413 });
  await assert.rejects(decodeBody(gzipSync(plain).subarray(0, 20), "gzip", 10_000), /broken gzip body/);
  await assert.rejects(decodeBody(Buffer.from("not gzip"), "gzip", 10_000), /broken gzip body/);
});

test("bodyText adds the bytes exactly when they cannot be had from the text", () => {
  assert.deepEqual(bodyText(plain, "text/html"), { body: plain.toString() });
  assert.deepEqual(bodyText(Buffer.alloc(0), ""), { body: "" });
  const marked = Buffer.from("\uFEFFtext");
  assert.deepEqual(bodyText(marked, "text/plain; charset=utf-8"), { body: "\uFEFFtext" });
  const binary = Buffer.from([0, 255, 128]);
  assert.equal(bodyText(binary, "image/png").body_base64, binary.toString("base64"));
  const latin = Buffer.from([0xe9]);
  const expected = { body: "é", body_base64: latin.toString("base64") };
  assert.deepEqual(bodyText(latin, 'text/plain; Charset="ISO-8859-1"'), expected);
  assert.deepEqual(bodyText(Buffer.from("x"), "text/plain; charset=no-such-set"), { body: "x" });
});
