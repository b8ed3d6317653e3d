import type { FunctionLogLevel } from "../function.ts";
import type { Inspect } from "./guest-inspect.ts";

/** The console as the code around it sees it. */
export interface GuestConsole {
  /** What becomes the methods of `console`. */
  readonly methods: Readonly<Record<string, (...values: unknown[]) => void>>;
  /** A new invocation: its output is counted anew. */
  readonly begin: () => void;
  /** Hands over what is still held back. */
  readonly flush: () => void;
}

/**
 * Runs inside the isolate, from its own source text. Lines leave at once, unless they are many and come fast: then in
 * batches, of which the last is lost when the isolate is ended. `send` gets level and text in turns.
 */
export function guestConsole(inspect: Inspect, send: (batch: string[]) => void): GuestConsole {
  const MAX_TEXT = 8192;
  const MAX_LINES = 10_000;
  const SINGLE_LINES = 16;
  const MAX_CHARACTERS = 1024 * 1024;
  const BATCH_ENTRIES = 256;
  const BATCH_CHARACTERS = 16_384;
  const BATCH_MS = 10;
  const { now } = Date;

  const { setPrototypeOf } = Object;
  // Without prototype: setters that the function puts on Array.prototype don't see it.
  const emptyBatch = (): string[] => setPrototypeOf([], null) as string[];

  let batch = emptyBatch();
  let batchCharacters = 0;
  let sentAt = 0;
  let lines = 0;
  let characters = 0;
  let indent = "";
  const counts = { __proto__: null } as unknown as Record<string, number>;
  const timers = { __proto__: null } as unknown as Record<string, number>;

  const flush = (): void => {
    if (batch.length === 0) return;
    const full = batch;
    batch = emptyBatch();
    batchCharacters = 0;
    sentAt = now();
    send(full);
  };

  const write = (level: FunctionLogLevel, text: string): void => {
    if (lines > MAX_LINES || characters > MAX_CHARACTERS) return;
    lines += 1;
    characters += text.length;
    let line = text;
    if (lines > MAX_LINES || characters > MAX_CHARACTERS)
      line = "[further output of this invocation is dropped]";
    else if (text.length > MAX_TEXT) {
      line = `${text.slice(0, MAX_TEXT)}... ${text.length - MAX_TEXT} more characters`;
    }
    batch[batch.length] = level;
    batch[batch.length] = line;
    batchCharacters += line.length;
    const isFull = batch.length >= BATCH_ENTRIES || batchCharacters > BATCH_CHARACTERS;
    if (isFull || lines <= SINGLE_LINES || now() - sentAt > BATCH_MS) flush();
  };

  const show = (value: unknown): string => (typeof value === "string" ? value : inspect(value));

  const placeholder = (kind: string, value: unknown): string => {
    switch (kind) {
      case "d":
        return typeof value === "bigint" ? `${value}n` : String(Number(value));
      case "i":
        return String(parseInt(String(value), 10));
      case "f":
        return String(parseFloat(String(value)));
      case "j":
        return JSON.stringify(value) ?? "undefined";
      case "c":
        return "";
      case "s":
        return show(value);
      default:
        return inspect(value);
    }
  };

  /** Console formatting: `%s %d %i %f %j %o %O %c` in a first string, then everything else with spaces. */
  const format = (values: readonly unknown[]): string => {
    let next = 0;
    let text = "";
    const [first] = values;
    if (typeof first === "string" && values.length > 1 && first.includes("%")) {
      next = 1;
      text = first.replace(/%([sdifjoOc%])/g, (match, kind: string) => {
        if (kind === "%") return "%";
        return next < values.length ? placeholder(kind, values[next++]) : match;
      });
    }
    for (; next < values.length; next++) text += (next === 0 ? "" : " ") + show(values[next]);
    return indent === "" ? text : indent + text.replaceAll("\n", `\n${indent}`);
  };

  const print =
    (level: FunctionLogLevel) =>
    (...values: unknown[]): void =>
      write(level, format(values));
  const group = (...values: unknown[]): void => {
    if (values.length > 0) write("info", format(values));
    if (indent.length < 32) indent += "  ";
  };
  const elapsed = (label: string, values: readonly unknown[]): void => {
    const startedAt = timers[label];
    if (startedAt !== undefined) write("info", format([`${label}: ${now() - startedAt}ms`, ...values]));
  };

  return {
    methods: {
      log: print("info"),
      info: print("info"),
      debug: print("debug"),
      trace: print("debug"),
      warn: print("warn"),
      error: print("error"),
      table: print("info"),
      dir: (value) => write("info", format([value])),
      dirxml: print("info"),
      assert: (holds, ...values) => {
        if (!holds) write("error", format(["Assertion failed", ...values]));
      },
      group,
      groupCollapsed: group,
      groupEnd: () => {
        indent = indent.slice(2);
      },
      count: (label = "default") => {
        const name = String(label);
        write("info", format([`${name}: ${(counts[name] = (counts[name] ?? 0) + 1)}`]));
      },
      countReset: (label = "default") => {
        delete counts[String(label)];
      },
      time: (label = "default") => {
        timers[String(label)] = now();
      },
      timeLog: (label = "default", ...values) => elapsed(String(label), values),
      timeEnd: (label = "default") => {
        elapsed(String(label), []);
        delete timers[String(label)];
      },
    },
    begin: () => {
      lines = 0;
      characters = 0;
      indent = "";
    },
    flush,
  };
}
