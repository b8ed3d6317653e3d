import { z } from "zod";
import { encodeReply, parseReplyData, type ResponseKind } from "./envelope.ts";
import { StringMap, wireInteger, wireObject } from "./json.ts";

/** What a node says about itself on PING and AUCTION. */
export const PingReply = wireObject({
  /** Public key of the node. */
  node_id: z.string(),
  /** Name of the cluster the node belongs to. */
  nexus: z.string().optional(),
  version: z.string(),
  /** Text as made by uptimeText, e.g. `8m47s`. */
  uptime: z.string(),
  /** Public xkey to seal environments for. */
  target_xkey: z.string(),
  tags: StringMap.optional(),
  /** Deployed workloads over all namespaces. */
  running_machines: z.number().int(),
});
export type PingReply = z.output<typeof PingReply>;

/** Bytes of a PING reply. */
export function encodePingReply(data: PingReply): Uint8Array {
  return encode("ping", data);
}

/** Bytes of an AUCTION reply: the same data under its own type. */
export function encodeAuctionReply(data: PingReply): Uint8Array {
  return encode("auction", data);
}

/** Reads a PING or AUCTION reply. Throws WIRE_INVALID or CONTROL_REFUSED. */
export function parsePingReply(bytes: Uint8Array): PingReply {
  return parseReplyData(PingReply, bytes);
}

function encode(kind: ResponseKind, data: PingReply): Uint8Array {
  return encodeReply(kind, {
    node_id: data.node_id,
    nexus: data.nexus === "" ? undefined : data.nexus,
    version: data.version,
    uptime: data.uptime,
    target_xkey: data.target_xkey,
    tags: data.tags,
    running_machines: wireInteger(data.running_machines),
  });
}
