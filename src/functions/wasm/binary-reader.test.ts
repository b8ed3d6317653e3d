import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BinaryReader, encodeNumber } from "./binary-reader.ts";

test("BinaryReader reads what encodeNumber writes", () => {
  fc.assert(
    fc.property(fc.nat({ max: 0xffff_ffff }), (value) => {
      const reader = new BinaryReader(Uint8Array.from(encodeNumber(value)));
      assert.equal(reader.number(), value);
      assert.ok(reader.done);
    }),
  );
});

test("BinaryReader refuses numbers that are too large or end early", () => {
  for (const bytes of [[0xff, 0xff, 0xff, 0xff, 0x1f], [0x80, 0x80, 0x80, 0x80, 0x80, 0], [0x80], []]) {
    assert.throws(() => new BinaryReader(Uint8Array.from(bytes)).number(), RangeError);
  }
});

test("BinaryReader stays within its bounds", () => {
  const reader = new BinaryReader(Uint8Array.of(1, 2, 3, 4), 1, 3);
  assert.equal(reader.byte(), 2);
  assert.throws(() => reader.skip(2), /unexpected end at offset 3/);
  reader.skip(1);
  assert.throws(() => reader.byte(), RangeError);
});
