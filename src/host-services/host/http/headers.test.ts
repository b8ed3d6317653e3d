import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalHeaders, parseRequestHeaders, withDefaults } from "./headers.ts";

test("canonicalHeaders lists every value under the canonical name", () => {
  const headers = canonicalHeaders([
    "content-TYPE",
    "a",
    "Set-Cookie",
    "1",
    "set-cookie",
    "2",
    "__proto__",
    "x",
    "x-b3",
    "",
  ]);
  assert.deepEqual(Object.entries(headers), [
    ["Content-Type", ["a"]],
    ["Set-Cookie", ["1", "2"]],
    ["__proto__", ["x"]],
    ["X-B3", [""]],
  ]);
});

test("parseRequestHeaders takes names with one or several values", () => {
  assert.deepEqual(parseRequestHeaders(undefined), {});
  assert.deepEqual(parseRequestHeaders('{"X-A":"1","x-b":["2","3"],"x-c":["4"],"x-n":5}'), {
    "X-A": "1",
    "x-b": ["2", "3"],
    "x-c": "4",
    "x-n": "5",
  });
});

test("parseRequestHeaders refuses what would reach beyond the header", () => {
  for (const text of [
    "{",
    "[]",
    "null",
    '"x"',
    '{"Host":"other"}',
    '{"transfer-encoding":"chunked"}',
    '{"Content-Length":"1"}',
    '{"x a":"1"}',
    '{"":"1"}',
    '{"x":"a\\r\\nY: b"}',
    '{"x":["a\\u0000"]}',
  ]) {
    assert.throws(() => parseRequestHeaders(text), { status: 400 }, text);
  }
});

test("withDefaults adds only what is not given in any case", () => {
  assert.deepEqual(withDefaults({ accept: "x" }, { Accept: "*/*", "User-Agent": "nex" }), {
    "User-Agent": "nex",
    accept: "x",
  });
});
