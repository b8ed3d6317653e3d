import { nativeArtifactRefusal } from "../agent-api/native-artifact.ts";
import { NexError, errorText } from "../lib/errors.ts";
import type { Machine, MachineState } from "./machine.ts";
import type { Workload } from "./workload.ts";

/** Throws DEPLOY_FAILED when the machine ended while it was being deployed to. */
export function requireState(machine: Machine, kind: MachineState["kind"]): void {
  if (machine.state.kind === kind) return;
  throw new NexError({ code: "DEPLOY_FAILED", message: "Failed to deploy workload: the agent ended" });
}

/** What an agent answered that does not take a workload. */
export function rejectionText(reason: string): string {
  return `workload rejected by agent: ${reason}`;
}

/**
 * Says what the agent would say of an artifact that it cannot run, before one is used up for it.
 *
 * @throws {NexError} `AGENT_REFUSED`
 */
export function requireRunnable(
  { type }: Workload,
  artifact: Uint8Array,
  options: { readonly sandboxed: boolean },
): void {
  const refusal = type === "native" ? nativeArtifactRefusal(artifact, options) : undefined;
  if (refusal === undefined) return;
  throw new NexError({
    code: "AGENT_REFUSED",
    message: `Failed to deploy workload: ${rejectionText(refusal)}`,
  });
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
