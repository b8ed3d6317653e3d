import { NexError, errorText } from "../lib/errors.ts";

/** The error of a start that failed. */
export function startFailed(id: string, reason: string, cause?: unknown): NexError {
  const message = `Cannot start sandbox "${id}": ${reason}`;
  return new NexError({ code: "SANDBOX_START_FAILED", message, cause });
}

/** The error of a start that was given up. */
export function startAborted(id: string, signal: AbortSignal): NexError {
  const cause: unknown = signal.reason;
  return new NexError({
    code: "ABORTED",
    message: `Cannot start sandbox "${id}": ${errorText(cause)}`,
    cause,
  });
}
