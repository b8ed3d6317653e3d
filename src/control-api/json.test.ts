import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { NexError } from "../lib/errors.ts";
import { encodeJson, goJson, parseWire, StringMap, wireInteger, wireObject } from "./json.ts";

const Sample = wireObject({
  name: z.string(),
  count: z.number().int().optional(),
  kind: z.enum(["a", "b"]).optional(),
  list: z.array(wireObject({ id: z.string() })).optional(),
  tags: StringMap.optional(),
});

const parse = (text: string): z.output<typeof Sample> => parseWire(Sample, Buffer.from(text));

test("wireObject matches keys case-insensitively, the exact one winning whatever the order", () => {
  assert.deepEqual(parse('{"NAME":"x","Count":1}'), { name: "x", count: 1 });
  assert.deepEqual(parse('{"name":"exact","NAME":"x"}'), { name: "exact" });
  assert.deepEqual(parse('{"NAME":"x","name":"exact"}'), { name: "exact" });
});

test("wireObject takes null for absent and drops unknown keys", () => {
  assert.deepEqual(parse('{"name":"x","count":null,"list":null,"tags":null,"more":{"a":1}}'), { name: "x" });
});

test("StringMap reads null values as empty and keeps its prototype", () => {
  const { tags } = parse('{"name":"x","tags":{"a":null,"__proto__":"p","constructor":"c"}}');
  assert.deepEqual(Object.entries(tags ?? {}), [
    ["a", ""],
    ["__proto__", "p"],
    ["constructor", "c"],
  ]);
  assert.equal(Object.getPrototypeOf(tags), Object.prototype);
});

test("keys named like members of every object neither pollute nor count as fields", () => {
  const value = parse(
    '{"name":"x","__proto__":{"count":7},"constructor":{"prototype":{"count":7}},"toString":1}',
  );
  assert.deepEqual(value, { name: "x" });
  assert.equal(value.count, undefined);
  assert.equal(({} as Record<string, unknown>)["count"], undefined);
  const Named = wireObject({ constructor: z.string().optional(), valueOf: z.string().optional() });
  assert.deepEqual({ ...parseWire(Named, Buffer.from("{}")) }, {});
});

const DETAILS: readonly (readonly [string, string])[] = [
  ["", "body is empty"],
  ["{", "body is not valid JSON"],
  ["\ufeff{}", "body is not valid JSON"],
  ["null", "body must be an object"],
  ["[]", "body must be an object"],
  ['"x"', "body must be an object"],
  ["{}", 'field "name" is missing'],
  ['{"name":null}', 'field "name" is missing'],
  ['{"name":1}', 'field "name" must be a string'],
  ['{"name":"x","count":"1"}', 'field "count" must be a number'],
  ['{"name":"x","count":1.5}', 'field "count" must be an integer'],
  ['{"name":"x","kind":"c"}', 'field "kind" must be one of "a", "b"'],
  ['{"name":"x","list":{}}', 'field "list" must be a list'],
  ['{"name":"x","list":[{"id":"1"},{}]}', 'field "list[1].id" is missing'],
  ['{"name":"x","list":[1]}', 'field "list[0]" must be an object'],
  ['{"name":"x","tags":[]}', 'field "tags" must be an object'],
  ['{"name":"x","tags":{"a":1}}', 'field "tags.a" must be a string'],
];

test("parseWire says in a few words what is wrong, without quoting values", () => {
  for (const [text, message] of DETAILS) {
    assert.throws(() => parse(text), { name: "NexError", code: "WIRE_INVALID", message }, text);
  }
});

test("parseWire survives deep nesting and broken UTF-8", () => {
  const deep = `{"name":"x","tags":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
  assert.throws(() => parse(deep), NexError);
  assert.equal(
    parseWire(Sample, Buffer.concat([Buffer.from('{"name":"'), Buffer.of(0xff), Buffer.from('"}')])).name,
    "\ufffd",
  );
});

test("goJson escapes as Go does", () => {
  assert.equal(goJson({ a: "<&>\u2028\u2029é" }), String.raw`{"a":"\u003c\u0026\u003e\u2028\u2029é"}`);
});

test("wireInteger gives what Go reads as an integer", () => {
  const cases: readonly (readonly [number, string])[] = [
    [1.9, "1"],
    [-1.9, "-1"],
    [-0.5, "0"],
    [Number.NaN, "0"],
    [1e21, "9007199254740991"],
    [Number.NEGATIVE_INFINITY, "-9007199254740991"],
  ];
  for (const [value, text] of cases)
    assert.equal(Buffer.from(encodeJson(wireInteger(value))).toString(), text);
});
