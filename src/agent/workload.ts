/** What an agent runs: a native process or a function. */
import type { LoadedFunction } from "../functions/function.ts";

/** Why a workload ended by itself. */
export interface WorkloadExit {
  /** Exit code; -1 when it was killed by a signal. */
  readonly code: number;
  /** What ended it from outside, where that is known. */
  readonly reason?: "out of memory";
}

/** Writes to the workload's log; a level as in protocol.md 5.7. */
export type WorkloadLog = (level: "error" | "warn" | "info" | "debug", text: string) => void;

/** A running workload. */
export interface RunningWorkload {
  /** Resolves when the workload ended by itself; never for functions. */
  readonly exit: Promise<WorkloadExit>;
  /** Runs the function once, as {@link LoadedFunction.invoke}; undefined for native workloads. */
  readonly invoke: LoadedFunction["invoke"] | undefined;
  /** Ends the workload: interrupts it, kills what is left after `graceMs`. Idempotent. */
  stop(graceMs: number): Promise<void>;
}
