import { z } from "zod";
import { NexError } from "../lib/errors.ts";
import { encodeJson, parseWire, StringList, StringMap, wireObject } from "./json.ts";

/** Conditions a node must meet to answer. Everything is optional; no conditions fit every node. */
export const AuctionRequest = wireObject({
  /** As in the tag `nex.arch`, e.g. `amd64`. */
  arch: z.string().optional(),
  /** As in the tag `nex.os`, e.g. `linux`. */
  os: z.string().optional(),
  sandboxed: z.boolean().optional(),
  tags: StringMap.optional(),
  workload_types: StringList.optional(),
});
export type AuctionRequest = z.output<typeof AuctionRequest>;

/** Bytes of an AUCTION request: `{}` for no conditions (a body `null` crashes a Go node). */
export function encodeAuctionRequest({
  arch,
  os,
  sandboxed,
  tags,
  workload_types,
}: AuctionRequest): Uint8Array {
  return encodeJson({ arch, os, sandboxed, tags, workload_types });
}

/** Reads an AUCTION request; an empty or unreadable body means no conditions, as for every peer. Never throws. */
export function parseAuctionRequest(bytes: Uint8Array): AuctionRequest {
  if (bytes.length === 0) return {};
  try {
    return parseWire(AuctionRequest, bytes);
  } catch (error) {
    if (error instanceof NexError) return {};
    throw error;
  }
}
