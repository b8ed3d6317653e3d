/**
 * A child process that cannot be forgotten: its own process group, dies with us, one recorded reason for its end.
 *
 * M1 the promise of `startProcess` resolves once the program runs and rejects when there is no such executable file
 * M2 the child leads its own session and process group; a stop signals the whole group: SIGTERM, grace, SIGKILL. What
 *    is left of the group when the child ends is killed; once `stop` has resolved it is gone
 * M3 on Linux the child dies with the process that started it, also after kill -9 (`setpriv --pdeathsig`), from the
 *    moment the program itself runs: about a millisecond after the promise has resolved. Start processes from the main
 *    thread: the kernel looks at the thread
 * M4 `exit` resolves exactly once, never rejects, and says why the process ended
 */
import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { NexError, errorText } from "./errors.ts";
import { findProgram } from "./find-program.ts";
import { parentDeathPrefix } from "./parent-death.ts";
import { listProcesses } from "./process-table.ts";

/** Why a process ended. `stopped` means that `stop` (or dispose) ended it, whatever its exit code was. */
export type ProcessExit =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signaled"; readonly signal: NodeJS.Signals }
  | { readonly kind: "stopped"; readonly forced: boolean };

/** What to start. The environment is handed over as given, nothing is inherited. */
export interface ProcessSpec {
  /** Absolute path, or a name looked up in the PATH of `environment` (default `/usr/bin:/bin`). */
  readonly program: string;
  readonly argv?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Default: ours. */
  readonly workingDirectory?: string;
  /** Default: no input, pipes for output. */
  readonly stdio?: StdioOptions;
  /** Default false. With true neither M3 nor the end of the group with the child (M2) holds. */
  readonly outlivesParent?: boolean;
  /** First signal of a stop. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

/** A running child process. */
export interface ManagedProcess extends AsyncDisposable {
  readonly pid: number;
  /** The underlying handle, for its streams and its IPC channel. */
  readonly child: ChildProcess;
  readonly exit: Promise<ProcessExit>;
  /** Signals the whole process group; false when the process has ended. */
  signal(signal: NodeJS.Signals): boolean;
  /**
   * Ends the process: stop signal, `graceMs` (default 5000) to leave, then SIGKILL to the group. Idempotent; a later
   * call with a shorter grace brings the SIGKILL forward, 0 kills at once.
   */
  stop(options?: { readonly graceMs?: number }): Promise<ProcessExit>;
}

/**
 * Starts a program (M1 to M4).
 *
 * @throws {NexError} `PROCESS_START_FAILED` when the program cannot be executed
 */
export async function startProcess(spec: ProcessSpec): Promise<ManagedProcess> {
  const program = await findProgram(spec.program, {
    path: spec.environment["PATH"] ?? DEFAULT_PATH,
    workingDirectory: spec.workingDirectory ?? process.cwd(),
  });
  if (program === undefined) throw startFailed(spec.program, "there is no such executable file");
  const prefix = spec.outlivesParent === true ? [] : await parentDeathPrefix();
  const [first = program, ...argv] = [...prefix, program, ...(spec.argv ?? [])];
  const child = spawnChild(spec, first, argv);
  const running = new RunningProcess(child, spec);
  await running.started;
  return running;
}

const DEFAULT_PATH = "/usr/bin:/bin";
const DEFAULT_GRACE_MS = 5000;
/** How long a stop waits for killed processes of the group to vanish. */
const GROUP_GONE_MS = 1000;

function spawnChild(spec: ProcessSpec, program: string, argv: readonly string[]): ChildProcess {
  try {
    return spawn(program, argv, {
      cwd: spec.workingDirectory,
      env: { ...spec.environment },
      stdio: spec.stdio ?? ["ignore", "pipe", "pipe"],
      serialization: "advanced",
      detached: true,
    });
  } catch (cause) {
    throw startFailed(spec.program, errorText(cause), cause);
  }
}

class RunningProcess implements ManagedProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly exit: Promise<ProcessExit>;
  /** Settles once it is known whether the program runs (M1). */
  readonly started: Promise<void>;
  readonly #spec: ProcessSpec;
  #ended = false;
  #stopping = false;
  #forced = false;
  #killAtMs = Infinity;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess, spec: ProcessSpec) {
    this.child = child;
    this.pid = child.pid ?? 0;
    this.#spec = spec;
    const { promise: started, resolve, reject } = Promise.withResolvers<void>();
    this.started = started;
    child.once("spawn", resolve);
    // Later errors (a signal or a message that could not be sent) say nothing that `exit` does not.
    child.on("error", (cause) => reject(startFailed(spec.program, cause.message, cause)));
    const { promise: exit, resolve: resolveExit } = Promise.withResolvers<ProcessExit>();
    this.exit = exit;
    child.once("exit", (code, signal) => resolveExit(this.#end(code, signal)));
  }

  signal(signal: NodeJS.Signals): boolean {
    return !this.#ended && signalGroup(this.pid, signal);
  }

  async stop({ graceMs = DEFAULT_GRACE_MS } = {}): Promise<ProcessExit> {
    if (!this.#ended) this.#startStop(graceMs);
    const reason = await this.exit;
    if (this.#spec.outlivesParent !== true || this.#stopping) await groupGone(this.pid);
    return reason;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #startStop(graceMs: number): void {
    const killAtMs = performance.now() + graceMs;
    const isFirst = !this.#stopping;
    this.#stopping = true;
    if (graceMs <= 0) {
      this.#kill();
      return;
    }
    if (isFirst) this.signal(this.#spec.stopSignal ?? "SIGTERM");
    if (killAtMs >= this.#killAtMs) return;
    this.#killAtMs = killAtMs;
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => this.#kill(), graceMs);
  }

  #kill(): void {
    this.#forced = true;
    this.signal("SIGKILL");
  }

  #end(code: number | null, signal: NodeJS.Signals | null): ProcessExit {
    clearTimeout(this.#killTimer);
    // At once: while members are left, the group's number cannot have been given to a stranger.
    if (this.#spec.outlivesParent !== true || this.#stopping) signalGroup(this.pid, "SIGKILL");
    this.#ended = true;
    if (this.#stopping) return { kind: "stopped", forced: this.#forced };
    if (signal !== null) return { kind: "signaled", signal };
    return { kind: "exited", code: code ?? 0 };
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  if (pid <= 1) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

async function groupGone(pid: number): Promise<void> {
  const deadlineMs = performance.now() + GROUP_GONE_MS;
  while ((await isGroupRunning(pid)) && performance.now() < deadlineMs) await delay(5);
}

/** A signal also reaches a group of zombies, which may stay for long where the first process is careless. */
async function isGroupRunning(pid: number): Promise<boolean> {
  if (!signalGroup(pid, 0)) return false;
  const processes = await listProcesses();
  return processes.length === 0 || processes.some((entry) => entry.group === pid && !entry.isZombie);
}

function startFailed(program: string, reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "PROCESS_START_FAILED",
    message: `Cannot start "${program}": ${reason}`,
    cause,
  });
}
