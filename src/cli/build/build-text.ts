import type { Logger } from "../../lib/logger.ts";
import type { Output } from "../output/output.ts";
import type { TypeCheck } from "./check-types.ts";

/** Prints what is doubtful about a function, beside the result. */
export function tellWarnings(output: Pick<Output, "note">, warnings: readonly string[]): void {
  for (const warning of warnings) output.note(`warning: ${warning}`);
}

/** Prints what is wrong with its types; that they were not checked is said at log level debug only. */
export function tellTypes(output: Pick<Output, "note">, logger: Logger, check: TypeCheck): void {
  if (check.kind === "checked") tellWarnings(output, check.problems);
  else logger.debug("Types are not checked", { reason: check.reason });
}
