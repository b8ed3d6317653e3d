import type { Duplex } from "node:stream";
import type { Logger } from "../../lib/logger.ts";
import type { ManagedProcess } from "../../lib/managed-process.ts";
import { readNamespaceExit } from "../own-namespace.ts";
import type { Sandbox, SandboxExit, SandboxTransport } from "../sandbox.ts";
import type { Confinement } from "./confinement.ts";
import type { Remains } from "./remains.ts";

export interface ProcessSandboxParts {
  readonly id: string;
  readonly process: ManagedProcess;
  readonly confinement: Confinement;
  readonly remains: Remains;
  readonly channel: Duplex;
  readonly calls: Duplex;
  readonly logger: Logger;
  /** Removes what was made for this sandbox; called once nothing runs in it. */
  readonly cleanUp: () => Promise<void>;
}

/** A running agent process with all it started. `exit` resolves once nothing of it is left. */
export class ProcessSandbox implements Sandbox {
  readonly id: string;
  readonly pid: number;
  readonly transport: SandboxTransport;
  readonly exit: Promise<SandboxExit>;
  readonly #process: ManagedProcess;
  readonly #remains: Remains;
  #surveying = false;

  constructor(parts: ProcessSandboxParts) {
    this.id = parts.id;
    this.pid = parts.process.pid;
    this.transport = { kind: "channel", channel: parts.channel, calls: parts.calls };
    this.#process = parts.process;
    this.#remains = parts.remains;
    this.exit = this.#untilGone(parts);
  }

  async stop({ graceMs }: { readonly graceMs?: number } = {}): Promise<SandboxExit> {
    await this.#remains.note();
    this.#survey();
    await this.#process.stop(graceMs === undefined ? {} : { graceMs });
    return this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Keeps an eye on what the agent starts while it is asked to leave. */
  #survey(): void {
    if (this.#surveying) return;
    this.#surveying = true;
    const timer = setInterval(() => void this.#remains.note(), SURVEY_MS);
    void this.#process.exit.then(() => clearInterval(timer));
  }

  async #untilGone({ confinement, logger, cleanUp }: ProcessSandboxParts): Promise<SandboxExit> {
    const exit = await this.#process.exit;
    if (!(await this.#remains.gone())) logger.warn("Processes of a sandbox are left", { sandbox: this.id });
    await cleanUp();
    return confinement.kind === "pid-namespace" ? readNamespaceExit(exit) : exit;
  }
}

const SURVEY_MS = 50;
