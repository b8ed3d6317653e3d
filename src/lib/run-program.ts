import { startProcess } from "./managed-process.ts";
import type { ProcessExit } from "./managed-process.ts";

/** A program that does one thing and ends. */
export interface ProgramRun {
  /** Absolute path, or a name looked up in the PATH of `environment`. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** Its standard input. Default none. */
  readonly input?: string;
  /** Kills the program. */
  readonly signal: AbortSignal;
}

/** How a program ended and what it wrote. */
export interface ProgramOutcome {
  readonly exit: ProcessExit;
  readonly output: string;
  readonly errors: string;
}

/**
 * Runs a program to its end.
 *
 * @throws {NexError} `PROCESS_START_FAILED`
 */
export async function runProgram(run: ProgramRun): Promise<ProgramOutcome> {
  await using running = await startProcess({
    program: run.program,
    argv: run.argv,
    environment: run.environment,
    ...(run.workingDirectory === undefined ? {} : { workingDirectory: run.workingDirectory }),
    stdio: [run.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const kill = (): void => {
    running.signal("SIGKILL");
  };
  run.signal.addEventListener("abort", kill, { once: true });
  if (run.signal.aborted) kill();
  const { stdin, stdout, stderr } = running.child;
  // Programs may end without having read everything.
  stdin?.on("error", () => {});
  stdin?.end(run.input);
  const [output, errors, exit] = await Promise.all([textOf(stdout), textOf(stderr), running.exit]).finally(
    () => run.signal.removeEventListener("abort", kill),
  );
  return { exit, output, errors };
}

/** `exit code 3`, `signal SIGTERM` */
export function exitText(exit: ProcessExit): string {
  if (exit.kind === "exited") return `exit code ${exit.code}`;
  return `signal ${exit.kind === "signaled" ? exit.signal : "SIGKILL"}`;
}

/** The last three lines of what a program wrote, as one. */
export function lastLines(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .slice(-3)
    .join("; ");
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  if (stream === null) return "";
  let text = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) text += String(chunk);
  return text;
}
