/**
 * Runs each agent as a child process with a channel to this process (file descriptor 3, named by NEX_CHANNEL_FD) and a
 * second one for calls that the agent waits for (5, NEX_CALLS_FD). On Linux, where the kernel allows it, in a PID
 * namespace of its own:
 *
 *     this process ── setpriv, bubblewrap or unshare ── first of the namespace ── agent ── workload, daemons …
 *       kill -9 ─────► killed by the kernel ──────────► and with it the namespace
 *
 * and confined further as far as this host lets us (`confinement.ts`).
 *
 * S1 to S5 are in `../sandbox.ts`; S3 and S4 hold for daemons only with PID namespaces, `probe` says what this host has.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { errorText } from "../../lib/errors.ts";
import { findProgram } from "../../lib/find-program.ts";
import type { Logger } from "../../lib/logger.ts";
import { startProcess } from "../../lib/managed-process.ts";
import type { ManagedProcess } from "../../lib/managed-process.ts";
import { PARENT_CALLS_VARIABLE, PARENT_CHANNEL_VARIABLE } from "../../lib/parent-channel.ts";
import { makeTemporaryDirectory } from "../../lib/temporary-directory.ts";
import type { TemporaryDirectory } from "../../lib/temporary-directory.ts";
import { readLines } from "../output-lines.ts";
import { RunningSandboxes } from "../running-sandboxes.ts";
import { startAborted, startFailed } from "../start-failure.ts";
import type { Sandbox, SandboxDriver, SandboxProbe, SandboxSpec, SandboxStartOptions } from "../sandbox.ts";
import { CALLS_FD, CHANNEL_FD, UP_FD } from "./command-line.ts";
import { findConfinement } from "./confinement.ts";
import type { Confinement, ConfinementKind } from "./confinement.ts";
import { openControlGroups } from "./control-groups.ts";
import type { ControlGroups } from "./control-groups.ts";
import type { ProcessLimits } from "./limits.ts";
import { chooseUser } from "./own-user.ts";
import { makePremises } from "./premises.ts";
import type { Premises, PremisesOptions } from "./premises.ts";
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
  /** The strongest way to keep processes together. Default `pid-namespace`; what the host lacks is done without. */
  readonly confinement?: ConfinementKind;
  /**
   * `auto`: agents have users of their own, a read-only view of the host's files and limits, as far as the host has them.
   * `none`: they can do what the node can. Default `auto`.
   */
  readonly isolation?: "auto" | "none";
  /** Default none. */
  readonly limits?: ProcessLimits;
  /** What agents need of the host's files besides their program and its arguments. Absolute paths. */
  readonly neededFiles?: readonly string[];
  /** What they must not see. Absolute paths. */
  readonly hiddenFiles?: readonly string[];
}

/** A driver that runs agents as child processes. */
export function createProcessDriver(options: ProcessDriverOptions): SandboxDriver {
  return new ProcessDriver(options);
}

class ProcessDriver implements SandboxDriver {
  readonly name = "process";
  readonly isolation = "process";
  readonly #options: ProcessDriverOptions;
  readonly #running = new RunningSandboxes();
  readonly #users = new Set<number>();
  #groups: Promise<ControlGroups | undefined> | undefined;
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
    return { kind: "ready", detail: confinement.detail, missing: confinement.missing };
  }

  async start(spec: SandboxSpec, { signal, onOutput }: SandboxStartOptions = {}): Promise<Sandbox> {
    return this.#running.start(spec, signal, async (ending) => this.#start(spec, ending, onOutput));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
    await (await this.#groups)?.[Symbol.asyncDispose]();
    await (await this.#directory)?.[Symbol.asyncDispose]();
  }

  async #start(
    spec: SandboxSpec,
    signal: AbortSignal,
    onOutput: SandboxStartOptions["onOutput"],
  ): Promise<Sandbox> {
    const { logger } = this.#options;
    const confinement = await this.#findConfinement();
    if (confinement === undefined) throw startFailed(spec.id, NO_SHELL);
    const premises = await this.#takePremises(spec, confinement);
    const cleanUp = async (): Promise<void> => {
      await premises[Symbol.asyncDispose]();
      if (premises.user !== undefined) this.#users.delete(premises.user);
    };
    const child = await this.#startAgent(spec, confinement, premises).catch(async (error: unknown) => {
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
      throw startFailed(spec.id, "a pipe is missing");
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
    if (signal.aborted) throw startAborted(spec.id, signal);
    await finished(stderr).catch(() => {});
    throw startFailed(
      spec.id,
      complaints.length === 0 ? `the agent process ${outcome}` : complaints.join("; "),
    );
  }

  /** Premises for this sandbox alone. */
  async #takePremises({ id }: SandboxSpec, { users }: Confinement): Promise<Premises> {
    const user = users === undefined ? undefined : chooseUser(users, this.#users);
    if (user !== undefined) this.#users.add(user);
    try {
      return await this.#makePremises({ id, user });
    } catch (cause) {
      if (user !== undefined) this.#users.delete(user);
      throw startFailed(id, errorText(cause), cause);
    }
  }

  /** Below a directory that the next node removes should this one be killed. */
  async #makePremises(options: PremisesOptions): Promise<Premises> {
    this.#directory ??= makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-agents" });
    const [{ path: parent }, groups] = await Promise.all([this.#directory, this.#openGroups()]);
    return makePremises({ ...options, parent, groups, limits: this.#options.limits ?? {} });
  }

  async #startAgent(
    spec: SandboxSpec,
    confinement: Confinement,
    premises: Premises,
  ): Promise<ManagedProcess> {
    const { agentProgram, agentArgv, workingDirectory = "/" } = this.#options;
    if (!agentProgram.startsWith("/") || (await findProgram(agentProgram)) === undefined) {
      throw startFailed(
        spec.id,
        `the agent program "${agentProgram}" is no executable file with an absolute path`,
      );
    }
    const [program = "", ...argv] = confinement.wrap([agentProgram, ...agentArgv], premises);
    try {
      return await startProcess({
        program,
        argv,
        environment: {
          ...asEnvironment(spec.metadata),
          TMPDIR: confinement.temporaryDirectory(premises),
          [PARENT_CHANNEL_VARIABLE]: String(CHANNEL_FD),
          [PARENT_CALLS_VARIABLE]: String(CALLS_FD),
        },
        workingDirectory,
        stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
      });
    } catch (cause) {
      throw startFailed(spec.id, errorText(cause), cause);
    }
  }

  #openGroups(): Promise<ControlGroups | undefined> {
    this.#groups ??= this.#options.isolation === "none" ? Promise.resolve(undefined) : openControlGroups();
    return this.#groups;
  }

  /** Looks once what this host has; the trials cost some ten milliseconds each. */
  #findConfinement(): Promise<Confinement | undefined> {
    this.#confinement ??= this.#tryOut();
    return this.#confinement;
  }

  async #tryOut(): Promise<Confinement | undefined> {
    const { agentProgram, agentArgv, confinement, isolation, limits, neededFiles, hiddenFiles } =
      this.#options;
    const files = [agentProgram, ...agentArgv].filter((path) => path.startsWith("/") && existsSync(path));
    return findConfinement({
      bare: isolation === "none",
      view: { needed: [...files, ...(neededFiles ?? [])], hidden: hiddenFiles ?? [] },
      limits: limits ?? {},
      groups: await this.#openGroups(),
      makePremises: async (options) => this.#makePremises(options),
      ...(confinement === undefined ? {} : { strongest: confinement }),
    });
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
