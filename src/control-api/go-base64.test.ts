import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeGoBase64 } from "./go-base64.ts";

/** Text, and the offset Go reports (undefined: it decodes). */
const PADDED: readonly (readonly [string, number | undefined])[] = [
  ["", undefined],
  ["\n", undefined],
  ["AAAA\r\n", undefined],
  ["AA==", undefined],
  ["AAA=", undefined],
  ["AAA=\n", undefined],
  ["AA\n=\n=", undefined],
  ["!!!!", 0],
  ["====", 0],
  ["x===", 1],
  ["A=AA", 1],
  ["AA=A", 2],
  ["AA=", 3],
  ["AA==A", 4],
  ["AAA=AAAA", 4],
  ["AAAAA", 4],
  ["AAAAAA", 4],
  ["AAAAAA=", 7],
  ["YWJjZA=====", 8],
  ["A!\n", 1],
  ["AAA-", 3],
  ["AAA_", 3],
];

test("decodeGoBase64 reports a fault at the byte Go reports", () => {
  for (const [text, expected] of PADDED) {
    const result = decodeGoBase64(text, "standard");
    assert.equal(typeof result === "number" ? result : undefined, expected, JSON.stringify(text));
  }
});

test("decodeGoBase64 takes the URL alphabet without padding only", () => {
  assert.deepEqual(decodeGoBase64("-_8", "url"), Uint8Array.of(0xfb, 0xff));
  assert.equal(decodeGoBase64("-_8=", "url"), 3);
  assert.equal(decodeGoBase64("+A", "url"), 0);
  assert.equal(decodeGoBase64("AAAAA", "url"), 4);
});

test("decodeGoBase64 reads what encoders write, line breaks anywhere", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(), (bytes, at) => {
      const standard = Buffer.from(bytes).toString("base64");
      const broken = `${standard.slice(0, at % (standard.length + 1))}\r\n${standard.slice(at % (standard.length + 1))}`;
      assert.deepEqual(decodeGoBase64(broken, "standard"), bytes);
      assert.deepEqual(decodeGoBase64(Buffer.from(bytes).toString("base64url"), "url"), bytes);
    }),
  );
});
