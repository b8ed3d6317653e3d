import { errorText } from "../lib/errors.ts";
import type { FunctionFailure, FunctionLimits, InvocationOutcome } from "./function.ts";
import type { GuestReply } from "./guest.ts";

/** How a run ended, whoever noticed first. */
export type RunEnd =
  | { readonly kind: "replied"; readonly reply: GuestReply }
  /** The engine gave up: terminated, or the isolate is gone. */
  | { readonly kind: "threw"; readonly error: unknown }
  | { readonly kind: "deadline" }
  | { readonly kind: "stopped" }
  | { readonly kind: "memory"; readonly reason: string };

export const MEMORY = { kind: "memory", reason: "memory ran out" } as const satisfies RunEnd;
export const DEADLINE = { kind: "deadline" } as const satisfies RunEnd;

/** A failure without its time. */
export interface Failure {
  readonly failure: FunctionFailure;
  readonly message: string;
}

/** The engine as the texts name it, and what bounds a run. */
export interface RunBounds {
  readonly engineName: "v8" | "wasm";
  readonly limits: FunctionLimits;
}

const ENGINE_TIMEOUT = "Script execution timed out.";

/** What callers of a function are told that is not there any more. */
export const STOPPED: Failure = { failure: "exception", message: "function has been stopped" };

/** What the caller is told. */
export function outcomeOf(end: RunEnd, bounds: RunBounds, runtimeNs: number): InvocationOutcome {
  if (end.kind === "replied") return { ...end.reply, runtimeNs };
  return { kind: "failed", ...failureOf(end, bounds), runtimeNs };
}

/** The failure of a run that got no reply. */
export function failureOf(end: Exclude<RunEnd, { kind: "replied" }>, bounds: RunBounds): Failure {
  const { engineName, limits } = bounds;
  switch (end.kind) {
    case "stopped":
      return STOPPED;
    case "memory": {
      const message = `${engineName} execution exceeded its memory limit of ${limits.memoryMiB} MiB`;
      return { failure: "out-of-memory", message };
    }
    case "threw":
    case "deadline": {
      const reason = end.kind === "threw" ? errorText(end.error) : ENGINE_TIMEOUT;
      if (reason !== ENGINE_TIMEOUT) return { failure: "exception", message: reason };
      return { failure: "timeout", message: `${engineName} execution timed out after ${limits.timeoutMs}ms` };
    }
    default:
      return end satisfies never;
  }
}
