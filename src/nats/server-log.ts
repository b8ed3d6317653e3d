import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Logger } from "../lib/logger.ts";

/** What a nats-server has written to its standard error. */
export interface ServerLog {
  /** Resolves when the stream has ended. */
  readonly finished: Promise<void>;
  /** The last lines that tell of trouble, else the last lines; without time and process id. */
  lastLines(): string;
  /** Hands every line to come to `listener`, until disposed. */
  watch(listener: (line: string) => void): Disposable;
}

const KEPT_LINES = 20;
const LINE = /^\[\d+\] \S+ \S+ \[(INF|DBG|TRC|WRN|ERR|FTL)\] (.*)$/;

/** Reads a nats-server's log line by line, hands each to `logger` and keeps the last ones. */
export function readServerLog(stream: Readable | null, logger: Logger): ServerLog {
  const kept: string[] = [];
  const trouble: string[] = [];
  const listeners = new Set<(line: string) => void>();
  const keep = (lines: string[], line: string): void => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  };
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  if (stream === null) resolve();
  else {
    const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on("close", resolve);
    lines.on("line", (text) => {
      if (text.trim() === "") return;
      const [, level = "ERR", line = text] = LINE.exec(text) ?? [];
      keep(kept, line);
      if (level === "ERR" || level === "FTL") keep(trouble, line);
      write(logger, level, line);
      for (const listener of listeners) listener(line);
    });
  }
  return {
    finished,
    lastLines: () => (trouble.length > 0 ? trouble : kept).slice(-3).join("; "),
    watch(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

function write(logger: Logger, level: string, line: string): void {
  const fields = { line };
  if (level === "ERR" || level === "FTL") logger.error("nats-server", fields);
  else if (level === "WRN") logger.warn("nats-server", fields);
  else logger.debug("nats-server", fields);
}
