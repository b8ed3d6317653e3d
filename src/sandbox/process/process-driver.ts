/**
 * Runs each agent as a child process with a channel to this process (file descriptor 3, named by NEX_CHANNEL_FD) and a
 * second one for calls that the agent waits for (5, NEX_CALLS_FD). On Linux, where the kernel allows it, in a PID
 * namespace of its own:
 *
 *     this process ── setpriv, unshare ── sh (first of the namespace) ── agent ── workload, daemons …
 *       kill -9 ─────► killed by the kernel ─► and with it the namespace
 *
 * S1 to S5 are in `../sandbox.ts`; S3 and S4 hold for daemons only with PID namespaces, `probe` says what this host has.
 */
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { NexError, errorText } from "../../lib/errors.ts";
import { findProgram } from "../../lib/find-program.ts";
import type { Logger } from "../../lib/logger.ts";
import { startProcess } from "../../lib/managed-process.ts";
import type { ManagedProcess } from "../../lib/managed-process.ts";
import { PARENT_CALLS_VARIABLE, PARENT_CHANNEL_VARIABLE } from "../../lib/parent-channel.ts";
import { makeTemporaryDirectory } from "../../lib/temporary-directory.ts";
import type { TemporaryDirectory } from "../../lib/temporary-directory.ts";
import { readLines } from "../output-lines.ts";
import type { Sandbox, SandboxDriver, SandboxProbe, SandboxSpec, SandboxStartOptions } from "../sandbox.ts";
import { CALLS_FD, CHANNEL_FD, UP_FD, findConfinement } from "./confinement.ts";
import type { Confinement, ConfinementKind } from "./confinement.ts";
import { ProcessSandbox } from "./process-sandbox.ts";
import { firstChild } from "../../lib/process-table.ts";
import { namespaceRemains, treeRemains } from "./remains.ts";
import type { Remains } from "./remains.ts";
import { untilUp } from "./until-up.ts";

export interface ProcessDriverOptions {
  /** Absolute path of the program that runs agents, usually Node. */
  readonly agentProgram: string;
  /** Its arguments, usually the agent's file. Paths are absolute: agents run in `workingDirectory`. */
  readonly agentArgv: readonly string[];
  readonly logger: Logger;
  /** Default `/`. */
  readonly workingDirectory?: string;
  /** The strongest confinement to use. Default `pid-namespace`; what the host lacks is done without. */
  readonly confinement?: ConfinementKind;
}

/** A driver that runs agents as child processes. */
export function createProcessDriver(options: ProcessDriverOptions): SandboxDriver {
  return new ProcessDriver(options);
}

class ProcessDriver implements SandboxDriver {
  readonly name = "process";
  readonly isolation = "process";
  readonly #options: ProcessDriverOptions;
  readonly #closing = new AbortController();
  readonly #sandboxes = new Set<Sandbox>();
  readonly #starting = new Set<Promise<unknown>>();
  #confinement: Promise<Confinement | undefined> | undefined;
  #directory: Promise<TemporaryDirectory> | undefined;

  constructor(options: ProcessDriverOptions) {
    this.#options = options;
  }

  async probe(): Promise<SandboxProbe> {
    const confinement = await this.#findConfinement();
    if (confinement === undefined) return { kind: "unavailable", reason: NO_SHELL };
    const { agentProgram } = this.#options;
    if ((await findProgram(agentProgram)) === undefined) {
      return { kind: "unavailable", reason: `The agent program "${agentProgram}" is no executable file` };
    }
    return { kind: "ready", detail: confinement.detail };
  }

  async start(spec: SandboxSpec, options: SandboxStartOptions = {}): Promise<Sandbox> {
    const starting = this.#start(spec, options);
    this.#starting.add(starting);
    try {
      const sandbox = await starting;
      this.#sandboxes.add(sandbox);
      void sandbox.exit.then(() => this.#sandboxes.delete(sandbox));
      return sandbox;
    } finally {
      this.#starting.delete(starting);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox.stop()));
    await (await this.#directory)?.[Symbol.asyncDispose]();
  }

  async #start(spec: SandboxSpec, { signal: caller, onOutput }: SandboxStartOptions): Promise<Sandbox> {
    const { logger } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, ...(caller === undefined ? [] : [caller])]);
    throwIfAborted(spec, signal);
    if (!/^[A-Za-z0-9]+$/.test(spec.id))
      throw startFailed(spec, "its id has other characters than letters and digits");
    const confinement = await this.#findConfinement();
    if (confinement === undefined) throw startFailed(spec, NO_SHELL);
    const directory = await this.#makeDirectory(spec);
    const cleanUp = async (): Promise<void> => rm(directory, { recursive: true, force: true, maxRetries: 5 });
    const child = await this.#startAgent(spec, confinement, directory).catch(async (error: unknown) => {
      await cleanUp();
      throw error;
    });
    const [channel, up, calls] = [CHANNEL_FD, UP_FD, CALLS_FD].map((place) =>
      duplex(child.child.stdio[place]),
    );
    const { stdout, stderr } = child.child;
    if (
      channel === undefined ||
      up === undefined ||
      calls === undefined ||
      stdout === null ||
      stderr === null
    ) {
      await child.stop({ graceMs: 0 });
      await cleanUp();
      throw startFailed(spec, "a pipe is missing");
    }
    // An agent that is killed resets its channel, perhaps before anybody listens to it.
    for (const stream of [channel, calls]) stream.on("error", () => {});
    const complaints: string[] = [];
    let isUp = false;
    readLines(stdout, (line) => onOutput?.({ stream: "stdout", line }));
    readLines(stderr, (line) => {
      if (!isUp && complaints.length < 5) complaints.push(line);
      onOutput?.({ stream: "stderr", line });
    });
    const outcome = await untilUp(up, signal);
    isUp = true;
    const remains = await findRemains(confinement, child);
    const sandbox = new ProcessSandbox({
      id: spec.id,
      process: child,
      confinement,
      remains,
      channel,
      calls,
      logger,
      cleanUp,
    });
    if (outcome === "up" && !signal.aborted) return sandbox;
    await sandbox.stop({ graceMs: 0 });
    for (const stream of [channel, calls]) stream.destroy();
    throwIfAborted(spec, signal);
    await finished(stderr).catch(() => {});
    throw startFailed(spec, complaints.length === 0 ? `the agent process ${outcome}` : complaints.join("; "));
  }

  /** A directory for this sandbox alone, below one that the next node removes should this one be killed. */
  async #makeDirectory(spec: SandboxSpec): Promise<string> {
    this.#directory ??= makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-agents" });
    try {
      const path = join((await this.#directory).path, spec.id);
      await mkdir(path, { mode: 0o700 });
      return path;
    } catch (cause) {
      throw startFailed(spec, errorText(cause), cause);
    }
  }

  async #startAgent(spec: SandboxSpec, confinement: Confinement, directory: string): Promise<ManagedProcess> {
    const { agentProgram, agentArgv, workingDirectory = "/" } = this.#options;
    if (!agentProgram.startsWith("/") || (await findProgram(agentProgram)) === undefined) {
      throw startFailed(
        spec,
        `the agent program "${agentProgram}" is no executable file with an absolute path`,
      );
    }
    const [program = "", ...argv] = confinement.wrap([agentProgram, ...agentArgv]);
    try {
      return await startProcess({
        program,
        argv,
        environment: {
          ...asEnvironment(spec.metadata),
          TMPDIR: directory,
          [PARENT_CHANNEL_VARIABLE]: String(CHANNEL_FD),
          [PARENT_CALLS_VARIABLE]: String(CALLS_FD),
        },
        workingDirectory,
        stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
      });
    } catch (cause) {
      throw startFailed(spec, errorText(cause), cause);
    }
  }

  /** Looks once what this host has; the trial costs some ten milliseconds. */
  #findConfinement(): Promise<Confinement | undefined> {
    this.#confinement ??= findConfinement(this.#options.confinement);
    return this.#confinement;
  }
}

function asEnvironment(metadata: SandboxSpec["metadata"]): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, String(value)]));
}

function duplex(stream: unknown): Duplex | undefined {
  return stream instanceof Duplex ? stream : undefined;
}

const NO_SHELL = "There is no shell in /usr/bin or /bin to start agents with";

async function findRemains(confinement: Confinement, { pid }: ManagedProcess): Promise<Remains> {
  if (confinement.kind === "process-group") return treeRemains(pid);
  return namespaceRemains(await firstChild(pid));
}

function throwIfAborted({ id }: SandboxSpec, signal: AbortSignal): void {
  if (!signal.aborted) return;
  const message = `Cannot start sandbox "${id}": ${errorText(signal.reason)}`;
  throw new NexError({ code: "ABORTED", message, cause: signal.reason });
}

function startFailed({ id }: SandboxSpec, reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "SANDBOX_START_FAILED",
    message: `Cannot start sandbox "${id}": ${reason}`,
    cause,
  });
}
