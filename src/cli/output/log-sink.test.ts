import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LogFields, LogLevel } from "../../lib/logger.ts";
import { createLogSink } from "./log-sink.ts";
import type { LogFormat } from "./log-sink.ts";

const time = new Date(2024, 6, 3, 9, 46, 40);
const plain: LogFormat = { level: "debug", json: false, color: false, timeFormat: "DateTime" };

function line(
  format: Partial<LogFormat>,
  level: LogLevel,
  message: string,
  fields: LogFields = {},
): string | undefined {
  const lines: string[] = [];
  createLogSink({ ...plain, ...format }, (text) => void lines.push(text))({ time, level, message, fields });
  return lines[0];
}

describe("createLogSink", () => {
  test("writes level, time, message and fields as protocol section 3.4 shows them", () => {
    const text = line({}, "info", "Workload deployed", {
      workload: "echo js",
      bytes: 12,
      missing: undefined,
    });
    assert.equal(text, "[INF] 2024-07-03 09:46:40 - Workload deployed workload=echo js bytes=12");
    assert.equal(
      line({}, "error", "failed", { err: new Error("no") }),
      "[ERR] 2024-07-03 09:46:40 - failed err=no",
    );
  });

  test("sets the group apart", () => {
    assert.equal(
      line({}, "warn", "m", { group: "agent", a: 1 }),
      "agent | [WRN] 2024-07-03 09:46:40 - m a=1",
    );
  });

  test("colours nothing but the level", () => {
    const text = line({ color: true }, "debug", "m", { a: 1 });
    assert.equal(text, "[\u001b[36mDBG\u001b[0m] 2024-07-03 09:46:40 - m a=1");
  });

  test("writes JSON with group and attributes only where there are some", () => {
    const time = "2024-07-03 09:46:40";
    assert.deepEqual(JSON.parse(line({ json: true }, "info", "m") ?? ""), {
      level: "INF",
      time,
      message: "m",
    });
    const full = line({ json: true, color: true }, "error", "m", { group: "g", a: { b: 1n } });
    assert.deepEqual(JSON.parse(full ?? ""), {
      level: "ERR",
      time,
      message: "m",
      group: "g",
      attrs: { a: { b: "1" } },
    });
  });

  test("drops lines below the level, and all of them at none", () => {
    const shown = (format: LogFormat["level"]): LogLevel[] =>
      (["debug", "info", "warn", "error"] as const).filter(
        (level) => line({ level: format }, level, "m") !== undefined,
      );
    assert.deepEqual(shown("warn"), ["warn", "error"]);
    assert.deepEqual(shown("none"), []);
  });

  test("keeps an entry on one line", () => {
    const text = line({}, "info", "a\nb", { v: "x\n[ERR] forged\u001b[2J", e: new Error("p\nq") });
    assert.equal(text, "[INF] 2024-07-03 09:46:40 - a\\nb v=x\\n[ERR] forged\\u001b[2J e=p\\nq");
  });

  test("writes the time in every format", () => {
    const at = (timeFormat: LogFormat["timeFormat"]): string =>
      /^\[INF\] (.*) - m$/.exec(line({ timeFormat }, "info", "m") ?? "")?.[1] ?? "";
    assert.equal(at("DateOnly"), "2024-07-03");
    assert.equal(at("Stamp"), "Jul  3 09:46:40");
    assert.match(at("RFC822"), /^03 Jul 24 09:46 \S+$/);
    assert.equal(new Date(at("RFC3339")).getTime(), time.getTime());
  });
});
