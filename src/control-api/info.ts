import { z } from "zod";
import { encodeReply, parseReplyData } from "./envelope.ts";
import { StringList, StringMap, wireInteger, wireObject } from "./json.ts";

/** How an instance of a workload ended. */
export const LastExit = wireObject({
  /** Exit code; -1 when it was killed by a signal or its agent was lost. */
  code: z.number().int(),
  reason: z.string(),
  /** RFC 3339. */
  time: z.string(),
});
export type LastExit = z.output<typeof LastExit>;

/** One workload on a node, as INFO lists it. */
export const Machine = wireObject({
  /** Workload id. */
  id: z.string(),
  /** From our nodes false while an essential workload waits to be deployed again. */
  healthy: z.boolean(),
  /** Since the agent accepted the deploy; text as made by uptimeText, or `unknown`. */
  uptime: z.string(),
  namespace: z.string().optional(),
  workload: wireObject({
    name: z.string(),
    description: z.string().optional(),
    /** Uptime of a service, accumulated execution time of a function; or `unknown`. */
    runtime: z.string(),
    /** `native`, `v8`, `wasm`. */
    type: z.string(),
    /** Hex SHA-256 of the artifact. */
    hash: z.string(),
    /** Redeployed when it fails. This and what follows only from our nodes. */
    essential: z.boolean().optional(),
    /** How many times the node has tried to deploy it again. */
    restarts: z.number().int().nonnegative().optional(),
    /** The end that led to the latest restart. */
    last_exit: LastExit.optional(),
    /** Functions only. */
    trigger_subjects: StringList.optional(),
    /** Every invocation starts with nothing of the last one. Functions only, as what follows. */
    fresh: z.boolean().optional(),
    /** Most invocations at a time. */
    concurrency: z.number().int().positive().optional(),
    /** Agents that run it now: more than one while it is busy. */
    instances: z.number().int().nonnegative().optional(),
  }),
});
export type Machine = z.output<typeof Machine>;

/** Memory of the host in kB. */
export const Memory = wireObject({
  total: z.number().int(),
  free: z.number().int(),
  available: z.number().int(),
});
export type Memory = z.output<typeof Memory>;

/** What a node says about itself and the workloads of one namespace. */
export const InfoReply = wireObject({
  version: z.string(),
  /** Text as made by uptimeText. */
  uptime: z.string(),
  /** The key to seal environments for; the same as `target_xkey` elsewhere. */
  public_xkey: z.string(),
  tags: StringMap.optional(),
  memory: Memory.optional(),
  /** Workloads of the namespace asked for. Absent from a node that writes null for none. */
  machines: z.array(Machine).readonly().default([]),
  supported_workload_types: StringList.optional(),
  /** What isolates the node's workloads, in words; only from our nodes. */
  isolation: z.string().optional(),
});
export type InfoReply = z.output<typeof InfoReply>;

/** Bytes of an INFO reply: `machines` is always a list, memory whole numbers. */
export function encodeInfoReply(data: InfoReply): Uint8Array {
  const { version, uptime, public_xkey, tags, memory, machines, supported_workload_types, isolation } = data;
  return encodeReply("info", {
    version,
    uptime,
    public_xkey,
    tags,
    memory: memory && {
      total: wireInteger(memory.total),
      free: wireInteger(memory.free),
      available: wireInteger(memory.available),
    },
    machines,
    supported_workload_types,
    isolation,
  });
}

/** Reads an INFO reply. Throws WIRE_INVALID or CONTROL_REFUSED. */
export function parseInfoReply(bytes: Uint8Array): InfoReply {
  return parseReplyData(InfoReply, bytes);
}
