import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { encodeLogEntry, logLevelOfAgent, logLevelText, parseLogLevel, parseWorkloadLog } from "./logs.ts";

const entry = { text: "Starting echo service\n", level: "INFO", id: "cpv0k3752omq9k2v7g10" };

test("log entries are read with name and id in either order", () => {
  const expected = {
    namespace: "ns",
    nodeId: "N1",
    workloadName: "echo",
    workloadId: entry.id,
    text: entry.text,
    level: "INFO",
    levelValue: 0,
  };
  assert.deepEqual(parseWorkloadLog(`$NEX.logs.ns.N1.echo.${entry.id}`, encodeLogEntry(entry)), expected);
  assert.deepEqual(parseWorkloadLog(`$NEX.logs.ns.N1.${entry.id}.echo`, encodeLogEntry(entry)), expected);
});

test("the documented order holds when the id does not tell", () => {
  for (const subject of ["$NEX.logs.ns.N1.a.b", "$NEX.logs.ns.N1.x.x"]) {
    const log = parseWorkloadLog(subject, encodeLogEntry({ ...entry, id: "x" }));
    assert.equal(`${log.workloadName}.${log.workloadId}`, subject.slice("$NEX.logs.ns.N1.".length));
  }
});

test("parseWorkloadLog refuses other subjects, numeric and unknown levels", () => {
  const bytes = encodeLogEntry(entry);
  for (const subject of [
    "$NEX.logs.system.N1.stdout",
    "$NEX.logs.ns.N1.a.b.c",
    "$NEX.events.ns.x",
    "other",
  ]) {
    assert.throws(() => parseWorkloadLog(subject, bytes), { code: "WIRE_INVALID" });
  }
  for (const level of [4, "TRACE", "INFO+", "", null]) {
    const bad = Buffer.from(JSON.stringify({ ...entry, level }));
    assert.throws(() => parseWorkloadLog("$NEX.logs.ns.N1.a.b", bad), { code: "WIRE_INVALID" });
  }
});

test("levels are read and written as Go's slog does", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["DEBUG", -4],
    ["DEBUG-1", -5],
    ["DEBUG+3", -1],
    ["INFO", 0],
    ["INFO+2", 2],
    ["WARN", 4],
    ["WARN+1", 5],
    ["ERROR", 8],
    ["ERROR+4", 12],
  ];
  for (const [name, value] of cases) {
    assert.equal(parseLogLevel(name), value);
    assert.equal(parseLogLevel(name.toLowerCase()), value);
    assert.equal(logLevelText(value), name);
  }
  fc.assert(
    fc.property(
      fc.integer({ min: -1000, max: 1000 }),
      (value) => parseLogLevel(logLevelText(value)) === value,
    ),
  );
});

test("agents' level numbers map to the level that was meant", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6].map((level) => logLevelOfAgent(level)),
    ["ERROR", "ERROR", "ERROR", "WARN", "INFO", "DEBUG", "DEBUG"],
  );
});
