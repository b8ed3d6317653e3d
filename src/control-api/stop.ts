import { z } from "zod";
import { encodeReply, parseReplyData } from "./envelope.ts";
import { encodeJson, parseWire, wireObject } from "./json.ts";

/** A request to stop one workload. */
export const StopRequest = wireObject({
  workload_id: z.string(),
  /** Signed by the issuer that deployed it, see createStopToken. */
  workload_jwt: z.string(),
  /** Public key of the node. */
  target_node: z.string().optional(),
});
export type StopRequest = z.output<typeof StopRequest>;

/** The node stopped the workload. */
export const StopReply = wireObject({
  stopped: z.boolean(),
  id: z.string(),
  issuer: z.string(),
  name: z.string(),
});
export type StopReply = z.output<typeof StopReply>;

/** Bytes of a STOP request. */
export function encodeStopRequest({ workload_id, workload_jwt, target_node }: StopRequest): Uint8Array {
  return encodeJson({ workload_id, workload_jwt, target_node: target_node ?? "" });
}

/** Reads a STOP request. Throws WIRE_INVALID, its message fit for `Unable to deserialize stop request: `. */
export function parseStopRequest(bytes: Uint8Array): StopRequest {
  return parseWire(StopRequest, bytes);
}

/** Bytes of a STOP reply. */
export function encodeStopReply({ stopped, id, issuer, name }: StopReply): Uint8Array {
  return encodeReply("stop", { stopped, id, issuer, name });
}

/** Reads a STOP reply. Throws WIRE_INVALID or CONTROL_REFUSED. */
export function parseStopReply(bytes: Uint8Array): StopReply {
  return parseReplyData(StopReply, bytes);
}
