import * as z from "zod";
import { encodeJson, parseJson } from "./json.ts";

/** What an agent says when it is ready to take a workload; request on `agentSubjects.handshake` (protocol.md 5.3). */
export const Handshake = z.object({
  /** The agent's workload id. */
  id: z.string().min(1),
  /** RFC 3339. */
  start_time: z.string().nullish(),
  /** Where the agent has its metadata from. A Go node logs it. */
  message: z.string().nullish(),
});
export type Handshake = z.output<typeof Handshake>;

/** Bytes of a handshake. */
export function encodeHandshake({ id, startTime, message }: HandshakeInit): Uint8Array {
  return encodeJson({ id, start_time: startTime.toISOString(), message });
}

/** What an agent puts into its handshake. A Go node wants all three. */
export interface HandshakeInit {
  readonly id: string;
  readonly startTime: Date;
  readonly message: string;
}

/** @throws {NexError} `AGENT_MESSAGE_INVALID` */
export function parseHandshake(body: Uint8Array): Handshake {
  return parseJson("a handshake", Handshake, body);
}

/** Bytes of the reply to a handshake. */
export function encodeHandshakeReply(): Uint8Array {
  return encodeJson({});
}

/** Checks the reply to a handshake. @throws {NexError} `AGENT_MESSAGE_INVALID` */
export function parseHandshakeReply(body: Uint8Array): void {
  parseJson("the reply to a handshake", z.unknown(), body);
}
