import { appendFileSync } from "node:fs";
import { createLogger } from "../lib/logger.ts";
import type { Logger, LogSink } from "../lib/logger.ts";
import type { GlobalFlagValues } from "./arguments/global-flags.ts";
import type { ValueSource } from "./arguments/flag.ts";
import type { Environment } from "./command.ts";
import { usageError } from "./arguments/usage-error.ts";
import { createLogSink } from "./output/log-sink.ts";
import type { TextStream } from "./output/output.ts";

/** What decides how a command logs. */
export interface LoggerContext {
  readonly flags: GlobalFlagValues;
  readonly sources: Readonly<Record<string, ValueSource>>;
  readonly environment: Environment;
  readonly stderr: TextStream;
}

/** The logger of a command, as `--logger`, `--loglevel`, `--logjson`, `--logcolor` and `--timeformat` ask for. */
export function createCommandLogger({ flags, sources, environment, stderr }: LoggerContext): Logger {
  // https://no-color.org: what is asked for on the command line goes before it.
  const color = flags.logcolor && (sources["logcolor"] === "flag" || !environment["NO_COLOR"]);
  const format = { level: flags.loglevel, json: flags.logjson, timeFormat: flags.timeformat };
  const sinks = [...new Set(flags.logger)].map((name): LogSink => {
    switch (name) {
      case "std":
        return createLogSink({ ...format, color }, (line) => void stderr.write(`${line}\n`));
      case "file":
        return createLogSink({ ...format, color: false }, (line, level) => {
          appendFileSync(level === "error" ? "nex.err" : "nex.log", `${line}\n`);
        });
      default:
        throw usageError(`logger '${name}' is not available yet; use std or file`);
    }
  });
  return createLogger((entry) => {
    for (const sink of sinks) sink(entry);
  });
}
