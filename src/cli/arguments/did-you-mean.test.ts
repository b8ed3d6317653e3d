import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { didYouMean } from "./did-you-mean.ts";

describe("didYouMean", () => {
  const names = ["version", "node", "devrun", "stop", "req", "ls", "trigger_subject"];
  const table: readonly (readonly [word: string, meant: string | undefined])[] = [
    ["vresion", "version"],
    ["versoin", "version"],
    ["vers", "version"],
    ["nod", "node"],
    ["ndoe", "node"],
    ["sl", "ls"],
    ["dev-run", "devrun"],
    ["trigger-subject", "trigger_subject"],
    ["xyz", undefined],
    ["", undefined],
  ];
  for (const [word, meant] of table) {
    test(`takes "${word}" for ${meant ?? "nothing"}`, () => {
      assert.equal(didYouMean(word, names), meant === undefined ? "" : ` (did you mean ${meant}?)`);
    });
  }
});
