import assert from "node:assert/strict";
import { SourceMap } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { findSources, splitSourceMap } from "./source-map.ts";

const COMMENT = "//# sourceMappingURL=data:application/json;base64,";
const inline = (map: object): string => COMMENT + Buffer.from(JSON.stringify(map)).toString("base64");

test("splitSourceMap takes the last inline map off and keeps everything else", () => {
  const map = { version: 3, sources: ["a.ts"], mappings: "AAAA" };
  assert.deepEqual(splitSourceMap(`() => 1;\n${inline(map)}\n`), {
    code: "() => 1;\n",
    map: JSON.stringify(map),
  });
  for (const text of [
    "",
    "() => 1",
    `() => "${COMMENT}"`,
    "() => 1;\n//# sourceMappingURL=echo.js.map",
    `x\n${COMMENT}?`,
  ]) {
    assert.deepEqual(splitSourceMap(text), { code: text, map: undefined });
  }
});

test("findSources finds the segment that a place lies in, in the order it was asked", () => {
  // Line 1: columns 1-4 from a.ts 1:1, from 5 on b.ts 3:2; line 2 nothing; line 3 column 3 a.ts 2:1.
  const map = JSON.stringify({ version: 3, sources: ["a.ts", "b.ts"], mappings: "AAAA,ICEC;;EDDD" });
  const at = (line: number, column: number) => ({ line, column });
  assert.deepEqual(findSources(map, [at(3, 9), at(1, 1), at(1, 5), at(1, 4), at(2, 1), at(3, 1), at(9, 9)]), [
    { file: "a.ts", line: 2, column: 1 },
    { file: "a.ts", line: 1, column: 1 },
    { file: "b.ts", line: 3, column: 2 },
    { file: "a.ts", line: 1, column: 1 },
    undefined,
    undefined,
    undefined,
  ]);
});

test("findSources agrees with the reader of Node.js on any map", () => {
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const encode = (value: number): string => {
    let rest = value < 0 ? -value * 2 + 1 : value * 2;
    let text = "";
    do {
      const digit = rest % 32;
      rest = Math.floor(rest / 32);
      text += DIGITS[digit + (rest > 0 ? 32 : 0)] ?? "";
    } while (rest > 0);
    return text;
  };
  const segment = fc.record({ skip: fc.nat(40), source: fc.nat(2), line: fc.nat(5000), column: fc.nat(300) });
  const lines = fc.array(fc.array(segment, { maxLength: 6 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(lines, fc.nat(6), fc.nat(120), (given, line, column) => {
      let [source, sourceLine, sourceColumn] = [0, 0, 0];
      const mappings = given
        .map((segments) =>
          segments
            .map((one, index) => {
              const fields = [
                index === 0 ? one.skip : one.skip + 1,
                one.source - source,
                one.line - sourceLine,
                one.column - sourceColumn,
              ];
              [source, sourceLine, sourceColumn] = [one.source, one.line, one.column];
              return fields.map(encode).join("");
            })
            .join(","),
        )
        .join(";");
      const payload = { version: 3, sources: ["a", "b", "c"], names: [], mappings } as const;
      const entry = new SourceMap({
        ...payload,
        sources: [...payload.sources],
        names: [],
        file: "",
        sourcesContent: [],
        sourceRoot: "",
      }).findEntry(line, column);
      const [found] = findSources(JSON.stringify(payload), [{ line: line + 1, column: column + 1 }]);
      const expected =
        "originalSource" in entry && entry.generatedLine === line
          ? { file: entry.originalSource, line: entry.originalLine + 1, column: entry.originalColumn + 1 }
          : undefined;
      assert.deepEqual(found, expected);
    }),
  );
});

test("findSources knows nothing from broken maps", () => {
  const broken = [
    "",
    "null",
    "{",
    "[]",
    '{"mappings":5,"sources":[]}',
    '{"mappings":"AAAA","sources":[5]}',
    '{"mappings":"!!!!","sources":["a"]}',
    '{"mappings":"AgggggggggggggggA","sources":["a"]}',
    '{"mappings":"A","sources":["a"]}',
    '{"mappings":"AAAAAAAA","sources":["a"]}',
    '{"mappings":"ADAA","sources":["a"]}',
  ];
  for (const map of broken) assert.deepEqual(findSources(map, [{ line: 1, column: 1 }]), [undefined], map);
});
