import { appendFileSync } from "node:fs";
import { errorText } from "../lib/errors.ts";
import { createLogger } from "../lib/logger.ts";
import type { Logger, LogSink } from "../lib/logger.ts";
import type { SystemLog } from "../node/system-log.ts";
import type { GlobalFlagValues } from "./arguments/global-flags.ts";
import type { ValueSource } from "./arguments/flag.ts";
import type { Environment } from "./command.ts";
import { usageError } from "./arguments/usage-error.ts";
import { createLogSink } from "./output/log-sink.ts";
import type { LineWriter } from "./output/log-sink.ts";
import type { TextStream } from "./output/output.ts";

/** What decides how a command logs. */
export interface LoggerContext {
  readonly flags: GlobalFlagValues;
  readonly sources: Readonly<Record<string, ValueSource>>;
  readonly environment: Environment;
  readonly stderr: TextStream;
  /** What `nats` writes to; undefined for commands that have no use for it. */
  readonly systemLog: SystemLog | undefined;
}

/** The logger of a command, as `--logger`, `--loglevel`, `--logjson`, `--logcolor` and `--timeformat` ask for. */
export function createCommandLogger(context: LoggerContext): Logger {
  const { flags, sources, environment, stderr, systemLog } = context;
  const color = wantsColor({ global: flags, sources, environment });
  const format = { level: flags.loglevel, json: flags.logjson, timeFormat: flags.timeformat };
  const writers = new Map<string, LineWriter>();
  const std: LineWriter = (line) => void stderr.write(`${line}\n`);
  for (const name of flags.logger) {
    if (name === "file") writers.set(name, fileWriter(std));
    else if (name !== "nats") writers.set("std", std);
    else if (systemLog !== undefined) writers.set(name, systemLog.write);
    // NEX_LOGGER is set for the node, and other commands see it as well.
    else if (sources["logger"] === "flag") throw usageError("logger 'nats' is for 'nex node up' only");
    else writers.set("std", std);
  }
  const sinks = [...writers].map(([name, write]): LogSink =>
    createLogSink({ ...format, color: color && name === "std" }, write),
  );
  return createLogger((entry) => {
    for (const sink of sinks) sink(entry);
  });
}

/** Appends to `nex.log`, errors to `nex.err`, in the working directory. When that fails, `fallback` says so once. */
function fileWriter(fallback: LineWriter): LineWriter {
  let failed = false;
  return (line, level) => {
    const path = level === "error" ? "nex.err" : "nex.log";
    try {
      appendFileSync(path, `${line}\n`);
    } catch (error) {
      if (!failed) fallback(`Cannot write the log file "${path}": ${errorText(error)}`, "error");
      failed = true;
    }
  };
}

/** Whether log lines get colours. */
export function wantsColor({
  global,
  sources,
  environment,
}: {
  readonly global: GlobalFlagValues;
  readonly sources: Readonly<Record<string, ValueSource>>;
  readonly environment: Environment;
}): boolean {
  // https://no-color.org: what is asked for on the command line goes before it.
  return global.logcolor && (sources["logcolor"] === "flag" || !environment["NO_COLOR"]);
}
