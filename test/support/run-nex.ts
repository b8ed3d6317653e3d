import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The launcher that users run. */
export const NEX = fileURLToPath(new URL("../../bin/nex", import.meta.url));

/** What a `nex` of a test runs in. */
export interface RunNexOptions {
  /** Added to PATH and HOME; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: the temporary HOME. */
  readonly cwd?: string;
  /** Command line that runs what follows it in its own place, such as that of a test host. */
  readonly prefix?: readonly string[];
  /** Standard input; default none (`/dev/null`). */
  readonly input?: string | Uint8Array;
  /** Default 30000; then the process is killed and the promise rejects. */
  readonly timeoutMs?: number;
}

/** How a `nex` ended. */
export interface NexResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `nex` that runs until it is told to end. Dispose kills it and removes its HOME. */
export interface RunningNex extends AsyncDisposable {
  readonly pid: number;
  /** What it has printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The first line of stdout or stderr, past or future, that matches; rejects when the process ends without. */
  waitForLine(pattern: RegExp, options?: { readonly timeoutMs?: number }): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
  /** Stops reading what it prints, as a pager that is left does. */
  closeOutput(): Promise<void>;
  /** Resolves once it has ended and its output is complete. */
  readonly exit: Promise<NexResult>;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** Runs the real `bin/nex` to its end, with a temporary HOME unless `env` has one. */
export async function runNex(args: readonly string[], options: RunNexOptions = {}): Promise<NexResult> {
  await using nex = await startNex(args, options);
  const limitMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return await within(
    nex.exit,
    limitMs,
    () => `nex ${args.join(" ")} did not end:\n${nex.stdout()}${nex.stderr()}`,
  );
}

/** Starts the real `bin/nex`, with a temporary HOME unless `env` has one. */
export async function startNex(args: readonly string[], options: RunNexOptions = {}): Promise<RunningNex> {
  const home = await mkdtemp(join(tmpdir(), "nex-test-home-"));
  const [program = NEX, ...argv] = [...(options.prefix ?? []), NEX, ...args];
  const child = spawn(program, argv, {
    cwd: options.cwd ?? home,
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      NEX_NATS_SERVER: process.env["NEX_NATS_SERVER"],
      ...options.env,
    },
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const output = collectOutput(child);
  child.stdin?.on("error", () => {});
  child.stdin?.end(options.input);
  const exit = exitOf(child, output);
  exit.catch(() => {});
  return {
    pid: child.pid ?? 0,
    stdout: () => output.text("stdout"),
    stderr: () => output.text("stderr"),
    waitForLine: (pattern, { timeoutMs = DEFAULT_TIMEOUT_MS } = {}) =>
      within(
        output.waitForLine(pattern, exit),
        timeoutMs,
        () => `no line ${String(pattern)} in:\n${output.all()}`,
      ),
    signal: (name) => void child.kill(name),
    closeOutput: async () => {
      for (const stream of [child.stdout, child.stderr]) {
        if (stream === null) continue;
        const closed = once(stream, "close");
        stream.destroy();
        await closed;
      }
    },
    exit,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exit.catch(() => {});
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface CollectedOutput {
  text(name: "stdout" | "stderr"): string;
  all(): string;
  waitForLine(pattern: RegExp, exit: Promise<unknown>): Promise<RegExpExecArray>;
}

function collectOutput(child: ChildProcess): CollectedOutput {
  const texts = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
      texts[name] += chunk;
      for (const listener of listeners) listener();
    });
  }
  const find = (pattern: RegExp): RegExpExecArray | undefined => {
    for (const line of [...lines(texts.stdout), ...lines(texts.stderr)]) {
      const match = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")).exec(line);
      if (match !== null) return match;
    }
    return undefined;
  };
  return {
    text: (name) => texts[name],
    all: () => texts.stdout + texts.stderr,
    waitForLine: async (pattern, exit) => {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const look = (): void => {
        const match = find(pattern);
        if (match !== undefined) resolve(match);
      };
      const ended = (): void =>
        reject(new Error(`nex ended without a line ${String(pattern)}:\n${texts.stdout}${texts.stderr}`));
      listeners.add(look);
      look();
      exit.then(ended, ended);
      try {
        return await promise;
      } finally {
        listeners.delete(look);
      }
    },
  };
}

function exitOf(child: ChildProcess, output: CollectedOutput): Promise<NexResult> {
  const { promise, resolve, reject } = Promise.withResolvers<NexResult>();
  child.once("error", reject);
  child.once("close", (code, signal) => {
    resolve({ code, signal, stdout: output.text("stdout"), stderr: output.text("stderr") });
  });
  return promise;
}

/** Complete lines, and the last one even when its line feed is still to come. */
function lines(text: string): string[] {
  return text.split("\n");
}

async function within<T>(work: Promise<T>, limitMs: number, message: () => string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Waited ${limitMs} ms: ${message()}`)), limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
