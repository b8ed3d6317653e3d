import * as z from "zod";
import { encodeJson, parseJson } from "./json.ts";

/** Severity of an agent's log entry; its number on the wire is its place in {@link AGENT_LOG_LEVELS}. */
export type AgentLogLevel = (typeof AGENT_LOG_LEVELS)[number];

/** Severities by their numbers, 0 to 6 (protocol.md 5.7). */
export const AGENT_LOG_LEVELS = ["panic", "fatal", "error", "warn", "info", "debug", "trace"] as const;

/** `source` of the agent's own lines; the workload's lines have its name. */
export const AGENT_LOG_SOURCE = "nex-agent";

/** One log entry of an agent; published on `agentSubjects.logs`. */
export interface AgentLogEntry {
  /** Workload name, or {@link AGENT_LOG_SOURCE}. */
  readonly source: string;
  readonly level: AgentLogLevel;
  readonly text: string;
}

/** Levels as workload logs name them (protocol.md 3.3). */
export type WorkloadLogLevel = "DEBUG" | "INFO" | "WARN" | "ERROR";

/** Bytes of a log entry. */
export function encodeAgentLog({ source, level, text }: AgentLogEntry): Uint8Array {
  return encodeJson({ source, level: AGENT_LOG_LEVELS.indexOf(level), text });
}

/**
 * Reads a log entry. All fields are optional: a missing level is number 0, one beyond the list reads as `trace`.
 *
 * @throws {NexError} `AGENT_MESSAGE_INVALID`
 */
export function parseAgentLog(body: Uint8Array): AgentLogEntry {
  const { source, level, text } = parseJson("a log entry", WireLogEntry, body);
  return { source: source ?? "", level: AGENT_LOG_LEVELS[level ?? 0] ?? "trace", text: text ?? "" };
}

/** The level that a workload log shows for an agent's entry. */
export function workloadLogLevel(level: AgentLogLevel): WorkloadLogLevel {
  return WORKLOAD_LOG_LEVELS[level];
}

const WORKLOAD_LOG_LEVELS: Readonly<Record<AgentLogLevel, WorkloadLogLevel>> = {
  panic: "ERROR",
  fatal: "ERROR",
  error: "ERROR",
  warn: "WARN",
  info: "INFO",
  debug: "DEBUG",
  trace: "DEBUG",
};

const WireLogEntry = z.object({
  source: z.string().nullish(),
  level: z.number().int().nonnegative().nullish(),
  text: z.string().nullish(),
});
