import { errorText, NexError } from "./errors.ts";
import { exitText, lastLines, runProgram } from "./run-program.ts";
import type { ProgramRun } from "./run-program.ts";

/** A program that does one thing and ends. */
export interface ToolRun extends Omit<ProgramRun, "input" | "signal"> {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a program to its end and returns what it wrote to standard output.
 *
 * @throws {NexError} `TOOL_FAILED` with the last lines of its standard error, `PROCESS_START_FAILED`, `TIMEOUT`, `ABORTED`
 */
export async function runTool(run: ToolRun): Promise<string> {
  throwIfAborted(run.signal);
  const timeout = AbortSignal.timeout(run.timeoutMs);
  const limit = run.signal === undefined ? timeout : AbortSignal.any([run.signal, timeout]);
  const { exit, output, errors } = await runProgram({ ...run, signal: limit });
  throwIfAborted(run.signal);
  if (exit.kind === "exited" && exit.code === 0) return output;
  if (timeout.aborted) {
    throw new NexError({
      code: "TIMEOUT",
      message: `"${run.program}" did not end within ${run.timeoutMs / 1000} s`,
    });
  }
  const last = lastLines(errors);
  throw new NexError({
    code: "TOOL_FAILED",
    message: `"${run.program}" ended with ${exitText(exit)}${last === "" ? "" : `: ${last}`}`,
  });
}

/** Throws what `signal` was aborted with, as an `ABORTED` error. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new NexError({
    code: "ABORTED",
    message: `Aborted: ${errorText(signal.reason)}`,
    cause: signal.reason,
  });
}
