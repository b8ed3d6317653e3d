import { NexError, errorText } from "../lib/errors.ts";
import type { Machine, MachineState } from "./machine.ts";

/** Throws DEPLOY_FAILED when the machine ended while it was being deployed to. */
export function requireState(machine: Machine, kind: MachineState["kind"]): void {
  if (machine.state.kind === kind) return;
  throw new NexError({ code: "DEPLOY_FAILED", message: "Failed to deploy workload: the agent ended" });
}

/** Puts `prefix` before the text of a failure and keeps its code. */
export async function prefixed<T>(prefix: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const code = cause instanceof NexError ? cause.code : "DEPLOY_FAILED";
    throw new NexError({ code, message: `${prefix}: ${errorText(cause)}`, cause });
  }
}
