import { ControlRefusedError } from "../control-api/index.ts";
import { errorText, NexError } from "../lib/errors.ts";
import { Refusal } from "./refusal.ts";

/** What the node said, or what went wrong on the way. */
export function refusalReason(error: unknown): string {
  return error instanceof ControlRefusedError ? error.reason : errorText(error);
}

/** `error` with the text of a refused command; an interruption and what is not a {@link NexError} stay as they are. */
export function asRefusal(error: unknown, text: (reason: string) => string): unknown {
  if (!(error instanceof NexError) || error.code === "ABORTED") return error;
  return new Refusal(text(refusalReason(error)), error);
}
