import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseLogLevel } from "../../control-api/index.ts";
import { logLines, shownLevel } from "./log-text.ts";

describe("logLines", () => {
  const table: readonly (readonly [text: string, lines: readonly string[]])[] = [
    ["one", ["one"]],
    ["one\n", ["one"]],
    ["one\ntwo\r\nthree\r\n", ["one", "two", "three"]],
    ["one\n\ntwo\n", ["one", "", "two"]],
    ["", []],
    ["\n", []],
    ["\u001b[31mred\u001b[0m\tx", ["red    x"]],
  ];
  for (const [text, lines] of table) {
    test(`of ${JSON.stringify(text)}`, () => assert.deepEqual(logLines(text), lines));
  }
});

describe("shownLevel", () => {
  const table = {
    "DEBUG-1": "debug",
    DEBUG: "debug",
    "INFO-1": "debug",
    INFO: "info",
    "INFO+3": "info",
    WARN: "warn",
    "WARN+2": "warn",
    ERROR: "error",
    "ERROR+4": "error",
  };
  for (const [text, level] of Object.entries(table)) {
    test(`of ${text} is ${level}`, () => assert.equal(shownLevel(parseLogLevel(text) ?? 99), level));
  }
});
