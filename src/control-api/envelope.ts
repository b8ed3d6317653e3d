import { z } from "zod";
import { NexError } from "../lib/errors.ts";
import { encodeJson, isRecord, parseWire, readWire, wireObject } from "./json.ts";

/** The `type` of every reply, by request. */
export const RESPONSE_TYPES = {
  auction: "io.nats.nex.v1.auction_response",
  ping: "io.nats.nex.v1.ping_response",
  info: "io.nats.nex.v1.info_response",
  deploy: "io.nats.nex.v1.run_response",
  stop: "io.nats.nex.v1.stop_response",
  lameDuck: "io.nats.nex.v1.lameduck_response",
} as const;

/** One key of {@link RESPONSE_TYPES}. */
export type ResponseKind = keyof typeof RESPONSE_TYPES;

/** A reply, taken apart: the node said yes and sent data, or no and sent a text. */
export type Reply =
  | { readonly kind: "success"; readonly type: string; readonly data: unknown }
  | { readonly kind: "failure"; readonly type: string; readonly error: string };

/** The node answered with a refusal. Code CONTROL_REFUSED; `reason` is the node's own text. */
export class ControlRefusedError extends NexError {
  readonly reason: string;

  constructor({ reason, message, hint }: { reason: string; message: string; hint?: string }) {
    super({ code: "CONTROL_REFUSED", message, ...(hint === undefined ? {} : { hint }) });
    this.reason = reason;
  }
}

/** Bytes of a successful reply. Prefer the encoder of the message (`encodePingReply`, …). */
export function encodeReply(kind: ResponseKind, data: object): Uint8Array {
  return encodeJson({ type: RESPONSE_TYPES[kind], data });
}

/** Bytes of a refusal. `data` is an empty string, as Go peers write it. */
export function encodeFailure(kind: ResponseKind, error: string): Uint8Array {
  return encodeJson({ type: RESPONSE_TYPES[kind], data: "", error });
}

/** Takes a reply apart. Accepts any `data`, or none, beside an error. Throws WIRE_INVALID. */
export function parseReply(bytes: Uint8Array): Reply {
  const { type, data, error } = parseWire(Envelope, bytes);
  if (error !== undefined) return { kind: "failure", type, error: refusalText(error) };
  return { kind: "success", type, data };
}

/** The data of a successful reply. Throws {@link ControlRefusedError} for a refusal and WIRE_INVALID. */
export function parseReplyData<Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
): z.output<Schema> {
  const reply = parseReply(bytes);
  if (reply.kind === "failure") throw new ControlRefusedError({ reason: reply.error, message: reply.error });
  return readWire(schema, reply.data);
}

const Envelope = wireObject({
  type: z.string().default(""),
  data: z.unknown().optional(),
  error: z.unknown().optional(),
});

function refusalText(error: unknown): string {
  if (typeof error === "string") return error;
  if (isRecord(error) && typeof error["message"] === "string") return error["message"];
  return typeof error === "number" ? String(error) : "unknown error";
}
