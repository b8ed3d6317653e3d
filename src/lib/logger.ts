/** Fields of a log line: never secrets, never payloads. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Severity of a log line, least severe first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Receives finished log lines; the format (text or JSON, colours, time) is the sink's business. */
export type LogSink = (entry: LogEntry) => void;

/** One log line: a constant message plus fields. */
export interface LogEntry {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Injected wherever something is worth telling an operator. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}

/** A logger that hands every line to `sink`. Filtering by level is the sink's business. */
export function createLogger(sink: LogSink, base: LogFields = {}): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      sink({ time: new Date(), level, message, fields: { ...base, ...fields } });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createLogger(sink, { ...base, ...fields }),
  };
}

/** A logger that drops everything. */
export const silentLogger: Logger = createLogger(() => {});
