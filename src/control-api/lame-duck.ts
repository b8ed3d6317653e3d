import { z } from "zod";
import { encodeReply, parseReplyData } from "./envelope.ts";
import { wireObject } from "./json.ts";

/** The node takes no more workloads (also sent when that was so before). The request has no body. */
export const LameDuckReply = wireObject({ node_id: z.string(), success: z.boolean() });
export type LameDuckReply = z.output<typeof LameDuckReply>;

/** Bytes of a LAMEDUCK reply. */
export function encodeLameDuckReply({ node_id, success }: LameDuckReply): Uint8Array {
  return encodeReply("lameDuck", { node_id, success });
}

/** Reads a LAMEDUCK reply. Throws WIRE_INVALID or CONTROL_REFUSED. */
export function parseLameDuckReply(bytes: Uint8Array): LameDuckReply {
  return parseReplyData(LameDuckReply, bytes);
}
