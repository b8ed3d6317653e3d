import { randomUUID } from "node:crypto";
import * as z from "zod";
import { encodeJson, parseJson } from "./json.ts";

/**
 * An event of an agent, a CloudEvent; published on `agentSubjects.event` (protocol.md 5.7). The node forwards every
 * type and overwrites `source` and `namespace`.
 */
export const AgentEvent = z.object({
  type: z.string().min(1),
  id: z.string().nullish(),
  /** The agent's workload id. */
  source: z.string().nullish(),
  /** RFC 3339. */
  time: z.string().nullish(),
  data: z.record(z.string(), z.unknown()),
});
export type AgentEvent = z.output<typeof AgentEvent>;

/** `data` of `workload_deployed` and `workload_undeployed`. */
export const WorkloadEventData = z.object({
  workload_name: z
    .string()
    .nullish()
    .transform((value) => value ?? ""),
  /** Exit code; -1 when the workload failed to start or was killed by a signal. */
  code: z
    .number()
    .int()
    .nullish()
    .transform((value) => value ?? 0),
  message: z
    .string()
    .nullish()
    .transform((value) => value ?? undefined),
});
export type WorkloadEventData = z.output<typeof WorkloadEventData>;

export interface AgentEventInit {
  readonly type: string;
  /** The agent's workload id. */
  readonly source: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Default: now. */
  readonly time?: Date;
}

/** Bytes of an event with a new random id. */
export function encodeAgentEvent({ type, source, data, time = new Date() }: AgentEventInit): Uint8Array {
  return encodeJson({
    specversion: "1.0",
    id: randomUUID(),
    type,
    source,
    time: time.toISOString(),
    datacontenttype: "application/json",
    data,
  });
}

/** @throws {NexError} `AGENT_MESSAGE_INVALID` */
export function parseAgentEvent(body: Uint8Array): AgentEvent {
  return parseJson("an event", AgentEvent, body);
}

/** Reads the data of a workload event; undefined when it has another form. */
export function parseWorkloadEventData(event: AgentEvent): WorkloadEventData | undefined {
  const result = WorkloadEventData.safeParse(event.data);
  return result.success ? result.data : undefined;
}
