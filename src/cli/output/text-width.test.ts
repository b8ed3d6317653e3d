import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { printable, shortenMiddle, textWidth } from "./text-width.ts";

describe("textWidth", () => {
  const table: readonly (readonly [text: string, width: number])[] = [
    ["", 0],
    ["echo", 4],
    ["é", 1],
    ["e\u0301", 1],
    ["🟢", 2],
    ["👩‍👩‍👧", 2],
    ["🇩🇪", 2],
    ["✅", 2],
    ["日本", 4],
    ["한국", 4],
    ["ｆｕｌｌ", 8],
    ["…", 1],
    ["│", 1],
    ["\u001b[31mred\u001b[0m", 3],
    ["\u200b", 0],
  ];
  for (const [text, width] of table) {
    test(`of ${JSON.stringify(text)} is ${width}`, () => assert.equal(textWidth(text), width));
  }
});

describe("printable", () => {
  test("removes what would move the cursor, change colours or reverse the writing direction", () => {
    assert.equal(printable("a\u001b[2Jb\nc\u0007d\u202ee\r\tf"), "ab c d e f");
  });
});

describe("shortenMiddle", () => {
  const table: readonly (readonly [text: string, width: number, result: string])[] = [
    ["echo", 4, "echo"],
    ["echojs", 5, "ec…js"],
    ["echojs", 4, "ec…s"],
    ["日本日本", 6, "日…本"],
    ["日本日本日", 8, "日本…日"],
    ["👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 5, "👩‍👩‍👧…👩‍👩‍👧"],
    ["N123456789*", 6, "N12…9*"],
  ];
  for (const [text, width, result] of table) {
    test(`of ${text} to ${width} is ${result}`, () => assert.equal(shortenMiddle(text, width), result));
  }
});
