import { NexError } from "../../lib/errors.ts";

/** A mistake in the command line or in a variable that stands for a flag; printed as `{message}, try --help`. */
export function usageError(message: string, cause?: unknown): NexError {
  return new NexError({ code: "USAGE", message, cause });
}
