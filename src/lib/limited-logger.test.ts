import assert from "node:assert/strict";
import { test } from "node:test";
import { limitLogger } from "./limited-logger.ts";
import { createLogger } from "./logger.ts";

test("limitLogger leaves lines beyond the limit out, says how many, and counts each message by itself", () => {
  const seen: string[] = [];
  let time = 0;
  const logger = limitLogger(
    createLogger(({ level, message, fields }) => seen.push(`${level} ${message} ${JSON.stringify(fields)}`)),
    { lines: 2, perMs: 1000, now: () => time },
  );
  for (let n = 1; n <= 5; n++) logger.warn("Refused", { n });
  logger.info("Another");
  time = 1000;
  logger.warn("Refused", { n: 6 });
  logger.warn("Refused", { n: 7 });
  logger.warn("Refused", { n: 8 });
  assert.deepEqual(seen, [
    'warn Refused {"n":1}',
    'warn Refused {"n":2}',
    "info Another {}",
    'warn Refused {"n":6,"suppressed":3}',
    'warn Refused {"n":7}',
  ]);
});
