import type { AgentFunctionLimits } from "../agent-api/agent-deploy.ts";
import type { FunctionLimits } from "../functions/function.ts";
import { loadFunction } from "../functions/load-function.ts";
import type { HostServices } from "../host-services/guest/host-services.ts";
import { giveWay } from "./give-way.ts";
import type { RunningWorkload, WorkloadLog } from "./workload.ts";

/**
 * Used where the node names none: 5 s per invocation, host calls included (protocol.md 7.3); memory as measured safe for
 * 1 MiB payloads.
 */
const LIMITS: Required<FunctionLimits> = { timeoutMs: 5000, memoryMiB: 128, maxSourceBytes: 5 * 1024 * 1024 };

export interface FunctionWorkloadSpec {
  readonly type: "v8" | "wasm";
  readonly name: string;
  readonly artifact: Uint8Array;
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: AgentFunctionLimits;
  /** Whether each invocation starts with nothing of the last one. Default false. */
  readonly fresh?: boolean;
  readonly hostServices: HostServices;
  readonly log: WorkloadLog;
  /** The engine can no longer be trusted: the agent must end at once. */
  readonly onFatal: (reason: string) => void;
}

/**
 * Loads a function so that it can be invoked.
 *
 * @throws {NexError} `FUNCTION_INVALID` with the texts of protocol.md 7.3 and 7.5
 */
export async function startFunctionWorkload(spec: FunctionWorkloadSpec): Promise<RunningWorkload> {
  const loaded = await loadFunction(spec.type, {
    name: spec.name,
    source: spec.artifact,
    environment: spec.environment,
    limits: withDefaults(spec.limits),
    fresh: spec.fresh ?? false,
    hostServices: spec.hostServices,
    log: spec.log,
    onFatal: spec.onFatal,
  });
  await giveWay();
  return {
    exit: new Promise(() => {}),
    invoke: (subject, payload) => loaded.invoke(subject, payload),
    stop: async () => loaded[Symbol.asyncDispose](),
  };
}

function withDefaults(given: AgentFunctionLimits): FunctionLimits {
  return {
    timeoutMs: given.timeout_ms ?? LIMITS.timeoutMs,
    memoryMiB: given.memory_mib ?? LIMITS.memoryMiB,
    maxSourceBytes: given.max_source_bytes ?? LIMITS.maxSourceBytes,
  };
}
