import { z } from "zod";
import { encodeReply, parseReplyData } from "./envelope.ts";
import { decodeJson, encodeJson, isRecord, readWire, wireObject } from "./json.ts";

/**
 * What the node does beyond refusing deploys: an extension of ours. Nodes of release 0.2.7 do not look at the body.
 */
export const LameDuckRequest = wireObject({
  /** The node ends by itself once no workload is left. Default false. */
  exit_when_idle: z.boolean().optional(),
  /** With `exit_when_idle`: how long it stays at least, in milliseconds. Default 0. */
  delay_ms: z.number().int().nonnegative().max(2_147_483_647).optional(),
});
export type LameDuckRequest = z.output<typeof LameDuckRequest>;

/** Bytes of a LAMEDUCK request; none when nothing is asked for, as Go clients send it. */
export function encodeLameDuckRequest({ exit_when_idle, delay_ms }: LameDuckRequest): Uint8Array {
  const isPlain = exit_when_idle === undefined && delay_ms === undefined;
  return isPlain ? new Uint8Array(0) : encodeJson({ exit_when_idle, delay_ms });
}

/** Reads a LAMEDUCK request; a body that is no JSON object asks for nothing. Throws WIRE_INVALID for a wrong field. */
export function parseLameDuckRequest(bytes: Uint8Array): LameDuckRequest {
  let body: unknown;
  try {
    body = decodeJson(bytes);
  } catch {
    return {};
  }
  return isRecord(body) ? readWire(LameDuckRequest, body) : {};
}

/** The node takes no more workloads (also sent when that was so before). */
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
