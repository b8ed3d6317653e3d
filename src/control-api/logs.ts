import { z } from "zod";
import { parseWire, wireError, wireObject } from "./json.ts";
import { parseControlSubject } from "./parse-subject.ts";
import type { WorkloadLogParts } from "./subjects.ts";

/** The four levels of log entries. Between them a Go peer writes offsets: `INFO+2`. */
export const LOG_LEVELS = { DEBUG: -4, INFO: 0, WARN: 4, ERROR: 8 } as const;
export type LogLevel = keyof typeof LOG_LEVELS;

/** One chunk a workload wrote: several lines or part of one. */
export const LogEntry = wireObject({
  text: z.string().default(""),
  /** Name of a level, with an offset at times; see parseLogLevel. */
  level: z.string().refine((level) => parseLogLevel(level) !== undefined, "must be the name of a level"),
  /** Workload id. */
  id: z.string().default(""),
});
export type LogEntry = z.output<typeof LogEntry>;

/** A log entry with the parts of its subject. */
export interface WorkloadLog extends WorkloadLogParts {
  readonly text: string;
  readonly level: string;
  /** Value of the level; see {@link LOG_LEVELS}. */
  readonly levelValue: number;
}

/** Bytes of a log entry, to be published on `subjects.workloadLog(…)`. */
export function encodeLogEntry({ text, level, id }: LogEntry): Uint8Array {
  return Buffer.from(JSON.stringify({ text, level, id }));
}

/**
 * Reads a message below `$NEX.logs`. Accepts name and id in either order (a Go node swaps them for what agents send):
 * the id of the payload tells. Throws WIRE_INVALID, also for a subject that is not of six tokens.
 */
export function parseWorkloadLog(subject: string, bytes: Uint8Array): WorkloadLog {
  const parts = parseControlSubject(subject);
  if (parts?.kind !== "workload-log") throw wireError("subject is not one of workload logs");
  const { text, level, id } = parseWire(LogEntry, bytes);
  const [first, second] = parts.lastTokens;
  const swapped = first === id && second !== id;
  return {
    namespace: parts.namespace,
    nodeId: parts.nodeId,
    workloadName: swapped ? second : first,
    workloadId: swapped ? first : second,
    text,
    level,
    levelValue: parseLogLevel(level) ?? LOG_LEVELS.INFO,
  };
}

/** The value of a level's name such as `WARN` or `info+2` (Go's slog); undefined for any other text. */
export function parseLogLevel(text: string): number | undefined {
  const match = /^(DEBUG|INFO|WARN|ERROR)([+-]\d{1,9})?$/iu.exec(text);
  const name = match?.[1]?.toUpperCase();
  if (name === undefined) return undefined;
  return LOG_LEVELS[name as LogLevel] + Number(match?.[2] ?? 0);
}

/** The name of a level's value, with an offset between the four. */
export function logLevelText(value: number): string {
  const name: LogLevel =
    value < LOG_LEVELS.INFO
      ? "DEBUG"
      : value < LOG_LEVELS.WARN
        ? "INFO"
        : value < LOG_LEVELS.ERROR
          ? "WARN"
          : "ERROR";
  const offset = value - LOG_LEVELS[name];
  return offset === 0 ? name : `${name}${offset > 0 ? "+" : ""}${offset}`;
}

/** The level for the number an agent writes: 0 panic, 1 fatal, 2 error, 3 warn, 4 info, 5 debug, 6 trace. */
export function logLevelOfAgent(agentLevel: number): LogLevel {
  if (agentLevel <= 2) return "ERROR";
  if (agentLevel === 3) return "WARN";
  return agentLevel <= 4 ? "INFO" : "DEBUG";
}
