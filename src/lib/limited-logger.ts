import { createLogger } from "./logger.ts";
import type { LogEntry, Logger } from "./logger.ts";

/** How many lines with the same message may be logged in a span of time. */
export interface LogLimit {
  readonly lines: number;
  readonly perMs: number;
  /** Default: the clock. */
  readonly now?: () => number;
}

/** Different messages that are counted; messages are constant texts, so that this is never reached. */
const MAX_MESSAGES = 1000;

/**
 * A logger for lines that others can cause, such as refused requests: beyond the limit lines with the same message are
 * left out, and the next one that is logged says how many (`suppressed`).
 */
export function limitLogger(logger: Logger, { lines, perMs, now = Date.now }: LogLimit): Logger {
  const spans = new Map<string, { since: number; logged: number; suppressed: number }>();
  return createLogger(({ level, message, fields }: LogEntry) => {
    const time = now();
    const span = spans.get(message) ?? { since: time, logged: 0, suppressed: 0 };
    if (time - span.since >= perMs) Object.assign(span, { since: time, logged: 0 });
    if (spans.size < MAX_MESSAGES) spans.set(message, span);
    if (span.logged >= lines) {
      span.suppressed += 1;
      return;
    }
    span.logged += 1;
    logger[level](message, span.suppressed === 0 ? fields : { ...fields, suppressed: span.suppressed });
    span.suppressed = 0;
  });
}
