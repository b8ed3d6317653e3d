import { errorText } from "../../lib/errors.ts";
import type { LogEntry, LogLevel, LogSink } from "../../lib/logger.ts";
import { formatTime } from "./time-format.ts";
import type { TimeFormat } from "./time-format.ts";

/** How log lines look and which are shown. `group` among a line's fields is set apart (protocol section 3.4). */
export interface LogFormat {
  readonly level: LogLevel | "none";
  readonly json: boolean;
  /** Colours the level, nothing else; not in JSON. */
  readonly color: boolean;
  readonly timeFormat: TimeFormat;
}

/** Where finished lines go, without newline. */
export type LineWriter = (line: string, level: LogLevel) => void;

const SEVERITY = { debug: 0, info: 1, warn: 2, error: 3, none: 4 } as const;
const SHORT = { debug: "DBG", info: "INF", warn: "WRN", error: "ERR" } as const;
const COLOR = { debug: 36, info: 32, warn: 33, error: 31 } as const;

/** A sink that formats log lines: `[INF] 2024-07-03 09:46:40 - message key=value`, or JSON. */
export function createLogSink(format: LogFormat, write: LineWriter): LogSink {
  return (entry) => {
    if (SEVERITY[entry.level] < SEVERITY[format.level]) return;
    write(format.json ? jsonLine(entry, format) : textLine(entry, format), entry.level);
  };
}

function textLine({ time, level, message, fields }: LogEntry, { color, timeFormat }: LogFormat): string {
  const { group, ...rest } = fields;
  const prefix = group === undefined ? "" : `${oneLine(group)} | `;
  const name = color ? `\u001b[${COLOR[level]}m${SHORT[level]}\u001b[0m` : SHORT[level];
  const attributes = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${oneLine(value)}`);
  return `${prefix}[${name}] ${formatTime(time, timeFormat)} - ${oneLine(message)}${attributes.join("")}`;
}

function jsonLine({ time, level, message, fields }: LogEntry, { timeFormat }: LogFormat): string {
  const { group, ...attributes } = fields;
  return json({
    level: SHORT[level],
    time: formatTime(time, timeFormat),
    message,
    ...(group === undefined ? {} : { group }),
    ...(Object.keys(attributes).length === 0 ? {} : { attrs: attributes }),
  });
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return errorText(value);
  return typeof value === "bigint" ? value.toString() : value;
}

/** Values stand as they are, except that no line feed or other control character may break or forge a line. */
function oneLine(value: unknown): string {
  const text =
    typeof value === "object" && value !== null && !(value instanceof Error)
      ? json(value)
      : errorText(plainValue(value));
  return text.replaceAll(/[\p{Control}\u2028\u2029]/gv, (character) =>
    JSON.stringify(character).slice(1, -1),
  );
}

/** Logging never fails: what JSON cannot hold becomes a text. */
function json(value: object): string {
  try {
    return JSON.stringify(value, (_, inner: unknown) => plainValue(inner));
  } catch (error) {
    return JSON.stringify({ level: SHORT.error, message: `unprintable: ${errorText(error)}` });
  }
}
