import { errorText, NexError } from "./errors.ts";
import { startProcess } from "./managed-process.ts";

/** A program that does one thing and ends. */
export interface ToolRun {
  /** Absolute path, or a name looked up in the PATH of `environment`. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
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
  await using tool = await startProcess({
    program: run.program,
    argv: run.argv,
    environment: run.environment,
    ...(run.workingDirectory === undefined ? {} : { workingDirectory: run.workingDirectory }),
  });
  const timeout = AbortSignal.timeout(run.timeoutMs);
  const limit = run.signal === undefined ? timeout : AbortSignal.any([run.signal, timeout]);
  const stop = (): void => {
    tool.signal("SIGKILL");
  };
  limit.addEventListener("abort", stop, { once: true });
  const [output, errors, exit] = await Promise.all([
    textOf(tool.child.stdout),
    textOf(tool.child.stderr),
    tool.exit,
  ]).finally(() => limit.removeEventListener("abort", stop));
  throwIfAborted(run.signal);
  if (exit.kind === "exited" && exit.code === 0) return output;
  if (timeout.aborted) {
    throw new NexError({
      code: "TIMEOUT",
      message: `"${run.program}" did not end within ${run.timeoutMs / 1000} s`,
    });
  }
  const ending =
    exit.kind === "exited"
      ? `exit code ${exit.code}`
      : `signal ${exit.kind === "signaled" ? exit.signal : "SIGKILL"}`;
  throw new NexError({
    code: "TOOL_FAILED",
    message: `"${run.program}" ended with ${ending}${lastLines(errors) === "" ? "" : `: ${lastLines(errors)}`}`,
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

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  if (stream === null) return "";
  let text = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function lastLines(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .slice(-3)
    .join("; ");
}
