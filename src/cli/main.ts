/**
 * Entry point of `nex`. The only file that prints errors, handles signals and sets the exit code.
 *
 * M1 a failure ends with exit code 1 and its text on stderr, without a stack
 * M2 the first SIGINT, SIGTERM, SIGQUIT or SIGHUP aborts the command's signal; a second one ends the process now, and so
 *    does a command that has not ended within the deadline. Of one Ctrl-C, the terminal and npx may both deliver a SIGINT:
 *    what comes within half a second of the first is the same
 * M3 a reader that closes our stdout (`nex sub … | head -1`) ends the command quietly; one that closes our stderr does
 *    not: a node goes on without its log
 */
import process from "node:process";
import { errorText, NexError } from "../lib/errors.ts";
import { Refusal } from "./refusal.ts";
import { runCommandLine } from "./run-command-line.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"] as const;
const EXIT_FAILURE = 1;
const DEADLINE_MS = 30_000;
const SAME_SIGNAL_MS = 500;

const interruption = new AbortController();
let interruptedAt = 0;
for (const name of SIGNALS) process.on(name, () => interrupt(name));
process.stdout.on("error", (error) => {
  if (isReaderGone(error)) process.exit(process.exitCode ?? 0);
  throw error;
});
process.stderr.on("error", (error) => {
  if (!isReaderGone(error)) throw error;
});

try {
  await runCommandLine({
    argv: process.argv.slice(2),
    environment: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interruption.signal,
  });
} catch (error) {
  process.exitCode = EXIT_FAILURE;
  process.stderr.write(`${failureText(error)}\n`);
}

function interrupt(name: NodeJS.Signals): void {
  if (interruption.signal.aborted) {
    if (performance.now() - interruptedAt > SAME_SIGNAL_MS) process.exit(EXIT_FAILURE);
    return;
  }
  interruptedAt = performance.now();
  interruption.abort(new NexError({ code: "ABORTED", message: `Interrupted by ${name}` }));
  setTimeout(() => process.exit(EXIT_FAILURE), DEADLINE_MS).unref();
}

function isReaderGone(error: NodeJS.ErrnoException): boolean {
  return error.code === "EPIPE";
}

function failureText(error: unknown): string {
  if (error instanceof NexError && error.code === "USAGE") return `nex: error: ${error.message}, try --help`;
  const known = error instanceof NexError ? error : undefined;
  const lines = [error instanceof Refusal ? error.message : `nex: error: ${errorText(error)}`];
  if (known?.hint !== undefined) lines.push(`hint: ${known.hint}`);
  if (known?.audience !== "user") {
    const code = known?.code ?? "INTERNAL";
    lines.push(
      `If this looks like a defect of Nex, report it with the code ${code} and the output of "nex version"`,
    );
  }
  return lines.join("\n");
}
