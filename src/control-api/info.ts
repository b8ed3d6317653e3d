import { z } from "zod";
import { encodeReply, parseReplyData } from "./envelope.ts";
import { StringList, StringMap, wireInteger, wireObject } from "./json.ts";

/** One workload on a node, as INFO lists it. */
export const Machine = wireObject({
  /** Workload id. */
  id: z.string(),
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
});
export type InfoReply = z.output<typeof InfoReply>;

/** Bytes of an INFO reply: `machines` is always a list, memory whole numbers. */
export function encodeInfoReply(data: InfoReply): Uint8Array {
  const { version, uptime, public_xkey, tags, memory, machines, supported_workload_types } = data;
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
  });
}

/** Reads an INFO reply. Throws WIRE_INVALID or CONTROL_REFUSED. */
export function parseInfoReply(bytes: Uint8Array): InfoReply {
  return parseReplyData(InfoReply, bytes);
}
