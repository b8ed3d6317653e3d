import type { DeployOrder } from "../../control-api/index.ts";
import { usageError } from "../arguments/usage-error.ts";
import type { WorkloadType } from "./workload-file.ts";

/** How a function is run. */
export type FunctionOptions = Pick<DeployOrder, "fresh" | "concurrency">;

/** The flags for them, of all commands that deploy. */
export const functionFlags = {
  fresh: { kind: "boolean", help: "Start every invocation of the function with nothing of the last one" },
  concurrency: {
    kind: "integer",
    min: 1,
    placeholder: "COUNT",
    help: "Invocations of the function at a time (default and most: what the node is configured for)",
  },
} as const;

/** The values of {@link functionFlags}; what was not given is left out. */
export function functionOptions(flags: {
  readonly fresh: boolean;
  readonly concurrency: number | undefined;
}): FunctionOptions {
  return {
    ...(flags.fresh ? { fresh: true } : {}),
    ...(flags.concurrency === undefined ? {} : { concurrency: flags.concurrency }),
  };
}

/** Refuses options that the workload cannot have. */
export function checkFunctionOptions(type: WorkloadType, options: FunctionOptions = {}): void {
  if (type !== "native" || Object.keys(options).length === 0) return;
  throw usageError("--fresh and --concurrency are only for functions (--type=v8 or --type=wasm)");
}
