import type { z } from "zod";
import { NexError } from "../lib/errors.ts";

/** UTF-8 JSON of a message; fields that are undefined are left out. */
export function encodeJson(message: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

/**
 * Reads a message by its schema. Unknown fields are ignored. `what` names the message in the error.
 *
 * @throws {NexError} `AGENT_MESSAGE_INVALID`; its text never quotes the message, which may hold secrets
 */
export function parseJson<Schema extends z.ZodType>(
  what: string,
  schema: Schema,
  body: Uint8Array,
): z.output<Schema> {
  const result = schema.safeParse(decodeJson(what, body));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue === undefined ? "" : issue.path.map(String).join(".").slice(0, 80);
  throw invalid(
    what,
    path === "" ? "it is not an object of the expected form" : `field "${path}" is missing or wrong`,
  );
}

function decodeJson(what: string, body: Uint8Array): unknown {
  if (body.length === 0) throw invalid(what, "it is empty");
  try {
    return JSON.parse(new TextDecoder().decode(body)) as unknown;
  } catch {
    throw invalid(what, "it is not JSON");
  }
}

function invalid(what: string, reason: string): NexError {
  return new NexError({ code: "AGENT_MESSAGE_INVALID", message: `Cannot read ${what}: ${reason}` });
}
