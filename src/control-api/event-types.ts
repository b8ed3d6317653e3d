import { z } from "zod";
import { StringMap, wireObject } from "./json.ts";

/*
 * The data of each event type. Reading is as lenient as the Go peer's: a missing field reads as its zero value.
 */

export const NodeStarted = wireObject({
  version: z.string().default(""),
  /** Public key of the node. */
  id: z.string().default(""),
  tags: StringMap.optional(),
});
export type NodeStarted = z.output<typeof NodeStarted>;

export const NodeStopped = wireObject({ id: z.string().default(""), graceful: z.boolean().default(false) });
export type NodeStopped = z.output<typeof NodeStopped>;

export const NodeEnteredLameDuck = wireObject({
  version: z.string().default(""),
  id: z.string().default(""),
});
export type NodeEnteredLameDuck = z.output<typeof NodeEnteredLameDuck>;

/** Published by every node each 30 s. */
export const Heartbeat = wireObject({
  version: z.string().default(""),
  node_id: z.string().default(""),
  nexus: z.string().optional(),
  /** Text as made by uptimeText. */
  uptime: z.string().default(""),
  tags: StringMap.optional(),
  running_machines: z.number().int().default(0),
});
export type Heartbeat = z.output<typeof Heartbeat>;

export const WorkloadDeployed = wireObject({
  workload_name: z.string().default(""),
  code: z.number().int().default(0),
  message: z.string().optional(),
  total_bytes: z.number().int().optional(),
});
export type WorkloadDeployed = z.output<typeof WorkloadDeployed>;

/** A workload ended. `name`, `reason` and `vmid` only from our nodes. */
export const WorkloadUndeployed = wireObject({
  workload_name: z.string().default(""),
  /** Exit code; -1 when it failed to start or was killed by a signal. */
  code: z.number().int().default(0),
  message: z.string().optional(),
  /** Workload name once more. */
  name: z.string().optional(),
  reason: z.string().optional(),
  /** Workload id. */
  vmid: z.string().optional(),
});
export type WorkloadUndeployed = z.output<typeof WorkloadUndeployed>;

export const FunctionExecSucceeded = wireObject({
  workload_name: z.string().default(""),
  /** The subscribed pattern. */
  trigger_subject: z.string().default(""),
  elapsed_nanos: z.number().int().default(0),
  namespace: z.string().default(""),
});
export type FunctionExecSucceeded = z.output<typeof FunctionExecSucceeded>;

export const FunctionExecFailed = wireObject({
  workload_name: z.string().default(""),
  trigger_subject: z.string().default(""),
  namespace: z.string().default(""),
  error: z.string().default(""),
});
export type FunctionExecFailed = z.output<typeof FunctionExecFailed>;

export const AgentStarted = wireObject({ agent_version: z.string().default("") });
export type AgentStarted = z.output<typeof AgentStarted>;

export const AgentStopped = wireObject({
  message: z.string().default(""),
  code: z.number().int().default(0),
});
export type AgentStopped = z.output<typeof AgentStopped>;

/** Schema of the data, by event type. */
export const EVENT_SCHEMAS = {
  agent_started: AgentStarted,
  agent_stopped: AgentStopped,
  function_exec_failed: FunctionExecFailed,
  function_exec_succeeded: FunctionExecSucceeded,
  heartbeat: Heartbeat,
  node_entered_lameduck: NodeEnteredLameDuck,
  node_started: NodeStarted,
  node_stopped: NodeStopped,
  workload_deployed: WorkloadDeployed,
  workload_undeployed: WorkloadUndeployed,
} as const;

/** An event type of this release. Others may travel too: what agents publish is forwarded. */
export type EventType = keyof typeof EVENT_SCHEMAS;

/** The data of an event type. */
export type EventData<Type extends EventType = EventType> = z.output<(typeof EVENT_SCHEMAS)[Type]>;
