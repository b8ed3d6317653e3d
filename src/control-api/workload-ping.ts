import { z } from "zod";
import { encodeReply, parseReplyData } from "./envelope.ts";
import { StringMap, wireObject } from "./json.ts";

/** One matching workload of a WPING reply. */
export const MachineSummary = wireObject({
  /** Workload id. */
  id: z.string(),
  namespace: z.string(),
  /** Workload name. */
  name: z.string(),
  type: z.string(),
});
export type MachineSummary = z.output<typeof MachineSummary>;

/** A node that runs matching workloads, and which. (`running_machines` is a number in PING and a list here.) */
export const WorkloadPingReply = wireObject({
  node_id: z.string(),
  target_xkey: z.string(),
  version: z.string(),
  uptime: z.string(),
  tags: StringMap.optional(),
  running_machines: z.array(MachineSummary).readonly(),
});
export type WorkloadPingReply = z.output<typeof WorkloadPingReply>;

/** Bytes of a WPING reply. A node without a match sends none. */
export function encodeWorkloadPingReply(data: WorkloadPingReply): Uint8Array {
  const { node_id, target_xkey, version, uptime, tags, running_machines } = data;
  return encodeReply("ping", { node_id, target_xkey, version, uptime, tags, running_machines });
}

/** Reads a WPING reply. Throws WIRE_INVALID or CONTROL_REFUSED. */
export function parseWorkloadPingReply(bytes: Uint8Array): WorkloadPingReply {
  return parseReplyData(WorkloadPingReply, bytes);
}
