import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_LINE as MAX_LINE_LENGTH } from "../lib/line-splitter.ts";
import { readLines } from "./output-lines.ts";

async function linesOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  readLines(stream, (line) => lines.push(line));
  const end = once(stream, "end");
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await end;
  return lines;
}

test("readLines gives the lines of a text, wherever its bytes are cut", async () => {
  const line = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n]/.test(text));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1 }), fc.nat(), async (lines, seed) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
      const at = seed % (bytes.length + 1);
      assert.deepEqual(await linesOf([bytes.subarray(0, at), bytes.subarray(at)]), lines);
    }),
  );
});

test("readLines drops carriage returns at line ends and gives a last line without end", async () => {
  assert.deepEqual(await linesOf([Buffer.from("a\r\n\nb\rc\nlast")]), ["a", "", "b\rc", "last"]);
});

test("readLines cuts lines that are too long", async () => {
  const long = "x".repeat(2 * MAX_LINE_LENGTH + 1);
  for (const chunks of [
    [Buffer.from(`${long}\nshort\n`)],
    Array.from(`${long}\nshort\n`, (char) => Buffer.from(char)),
  ]) {
    const lines = await linesOf(chunks);
    assert.ok(lines.every((line) => line.length <= MAX_LINE_LENGTH));
    assert.equal(lines.join(""), `${long}short`);
    assert.equal(lines.at(-1), "short");
  }
});
