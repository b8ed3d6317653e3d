import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const ECHO_SERVICE_DIRECTORY = join(
  import.meta.dirname,
  "..",
  "..",
  "examples",
  "services",
  "echoservice",
);
const ECHO_SERVICE = join(ECHO_SERVICE_DIRECTORY, "bin", `linux-${process.arch}`, "echoservice");

/** Why the committed binary cannot run here, or false: as `skip` of a test. */
export const cannotRunEchoService: string | false =
  process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64")
    ? false
    : `the committed echo service is for Linux on x64 and arm64, this is ${process.platform} on ${process.arch}`;

/** How an echo service ended. */
interface EchoExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running echo service, killed when disposed. */
interface EchoProcess extends AsyncDisposable {
  /** Resolves to all of stdout so far when it says that it serves; rejects when it ends before that. */
  readonly serving: Promise<string>;
  readonly exit: Promise<EchoExit>;
  /** Resolves when a line of stderr matches, seen from the start of the process. */
  stderrLine(pattern: RegExp): Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the committed echo service with exactly this environment. */
export function startEchoProcess(environment: Record<string, string>, program = ECHO_SERVICE): EchoProcess {
  const child = spawn(program, [], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const output = collect(child);
  const exit = once(child, "close").then(([code, signal]): EchoExit => ({
    code,
    signal,
    stdout: output.stdout(),
    stderr: output.stderr(),
  }));
  const serving = Promise.race([
    output.line("stdout", /^Starting echo service$/).then(() => output.stdout()),
    exit.then(({ code, stderr }) =>
      Promise.reject(new Error(`The echo service ended with ${code}: ${stderr}`)),
    ),
  ]);
  serving.catch(() => undefined);
  return {
    serving,
    exit,
    stderrLine: (pattern) => output.line("stderr", pattern),
    kill: (signal) => {
      child.kill(signal);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

interface Output {
  stdout(): string;
  stderr(): string;
  line(stream: "stdout" | "stderr", pattern: RegExp): Promise<string>;
}

function collect(child: ChildProcess): Output {
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  const watchers = new Set<() => void>();
  for (const stream of ["stdout", "stderr"] as const) {
    const input = child[stream];
    if (input === null) continue;
    createInterface({ input }).on("line", (line) => {
      lines[stream].push(line);
      for (const watcher of watchers) watcher();
    });
  }
  return {
    stdout: () => lines.stdout.join("\n"),
    stderr: () => lines.stderr.join("\n"),
    line: (stream, pattern) =>
      new Promise((resolve) => {
        const watcher = (): void => {
          const found = lines[stream].find((line) => pattern.test(line));
          if (found === undefined) return;
          watchers.delete(watcher);
          resolve(found);
        };
        watchers.add(watcher);
        watcher();
      }),
  };
}
