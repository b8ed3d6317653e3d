import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { ManagedProcess } from "../lib/managed-process.ts";
import type { Sandbox, SandboxExit, SandboxTransport } from "./sandbox.ts";

export interface MachineSandboxParts {
  readonly id: string;
  /** The monitor. */
  readonly process: ManagedProcess;
  /** All that was made for the machine, its process included. */
  readonly stack: AsyncDisposableStack;
  readonly logger: Logger;
  readonly readExit?: ((exit: SandboxExit) => SandboxExit) | undefined;
  /** Called when a stop begins: what the monitor says from then on is about that. */
  readonly onStopping: () => void;
  /** The last lines that the monitor complained with. */
  readonly lastWords: () => readonly string[];
}

/** A running virtual machine. `exit` resolves once nothing of it is left. */
export class MachineSandbox implements Sandbox {
  readonly id: string;
  readonly pid: number;
  readonly transport: SandboxTransport = { kind: "network" };
  readonly exit: Promise<SandboxExit>;
  readonly #process: ManagedProcess;
  readonly #onStopping: () => void;

  constructor(parts: MachineSandboxParts) {
    this.id = parts.id;
    this.pid = parts.process.pid;
    this.#process = parts.process;
    this.#onStopping = parts.onStopping;
    this.exit = untilGone(parts);
  }

  /** Its file system is thrown away, so there is nothing that the guest would have to save first: SIGTERM, then SIGKILL. */
  async stop(options: { readonly graceMs?: number } = {}): Promise<SandboxExit> {
    this.#onStopping();
    await this.#process.stop(options);
    return this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function untilGone({
  id,
  process,
  stack,
  logger,
  readExit = (exit) => exit,
  lastWords,
}: MachineSandboxParts): Promise<SandboxExit> {
  const exit = readExit(await process.exit);
  await stack.disposeAsync().catch((error: unknown) => {
    logger.warn("Something of a machine is left", { sandbox: id, error: errorText(error) });
  });
  if (exit.kind !== "stopped") {
    logger.warn("A virtual machine ended by itself", { sandbox: id, exit, monitor: lastWords() });
  }
  return exit;
}
