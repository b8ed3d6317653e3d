/**
 * The driver of virtual machines, around a monitor (QEMU, Firecracker):
 *
 *     start:  directory ── network ── monitor's own (copies, metadata, sockets) ── process
 *     end:    process ── monitor's own ── network ── directory
 *
 * S1 to S5 are in `sandbox.ts`. S1 and S3: everything is on one stack, which a failed start unwinds and the end of the
 * process otherwise. S4: the process dies with ours; files that it leaves are removed by the next driver
 * (`temporary-directory.ts`), network and metadata by their owners. S5: a machine sees nothing of our environment.
 */
import { chmod, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { makeTemporaryDirectory } from "../lib/temporary-directory.ts";
import type { TemporaryDirectory } from "../lib/temporary-directory.ts";
import { limitOutput } from "./limited-output.ts";
import type { MachineMonitor } from "./machine-monitor.ts";
import { MachineSandbox } from "./machine-sandbox.ts";
import type { VirtualMachineNetwork } from "./network/network.ts";
import { RunningSandboxes } from "./running-sandboxes.ts";
import type { Sandbox, SandboxDriver, SandboxProbe, SandboxSpec, SandboxStartOptions } from "./sandbox.ts";
import { startAborted, startFailed } from "./start-failure.ts";

export interface VirtualMachineDriverOptions {
  readonly monitor: MachineMonitor;
  /** Not disposed with the driver. */
  readonly network: VirtualMachineNetwork;
  readonly logger: Logger;
  /** Where files of machines go: copies of the root file system, so rather a disk than memory. Default: the system's. */
  readonly temporaryDirectory?: string;
}

/** A driver that runs each sandbox in a virtual machine. */
export class VirtualMachineDriver implements SandboxDriver {
  readonly name: string;
  readonly isolation = "virtual-machine";
  readonly #options: VirtualMachineDriverOptions;
  readonly #running = new RunningSandboxes();
  #directory: Promise<TemporaryDirectory> | undefined;

  constructor(options: VirtualMachineDriverOptions) {
    this.#options = options;
    this.name = options.monitor.name;
  }

  get bootTimeMs(): number {
    return this.#options.monitor.bootTimeMs;
  }

  probe(): Promise<SandboxProbe> {
    return this.#options.monitor.probe();
  }

  async start(spec: SandboxSpec, { signal, onOutput }: SandboxStartOptions = {}): Promise<Sandbox> {
    return this.#running.start(spec, signal, async (ending) => this.#start(spec, ending, onOutput));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
    await (await this.#directory)?.[Symbol.asyncDispose]();
  }

  async #start(
    spec: SandboxSpec,
    signal: AbortSignal,
    onOutput: SandboxStartOptions["onOutput"],
  ): Promise<Sandbox> {
    const { logger, monitor } = this.#options;
    let isStopping = false;
    const output = limitOutput((line) => {
      if (!isStopping || line.stream === "stdout") onOutput?.(line);
    });
    const stack = new AsyncDisposableStack();
    try {
      const process = await this.#startMonitor(spec, { signal, stack, onOutput: output.take });
      const { readExit } = monitor;
      const { lastWords } = output;
      return new MachineSandbox({
        id: spec.id,
        process,
        stack,
        logger,
        readExit,
        onStopping: () => {
          isStopping = true;
        },
        lastWords,
      });
    } catch (error) {
      await stack.disposeAsync().catch((remains: unknown) => {
        logger.warn("Something of a machine is left", { sandbox: spec.id, error: errorText(remains) });
      });
      if (signal.aborted) throw startAborted(spec.id, signal);
      const words = output.lastWords();
      const reason = [errorText(error), ...words].join("; ");
      throw startFailed(spec.id, reason, error);
    }
  }

  async #startMonitor(
    spec: SandboxSpec,
    parts: Pick<Parameters<MachineMonitor["start"]>[0], "signal" | "stack" | "onOutput">,
  ): ReturnType<MachineMonitor["start"]> {
    const { signal, stack } = parts;
    signal.throwIfAborted();
    const directory = await this.#makeDirectory(spec.id);
    stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
    const { network: networks, monitor } = this.#options;
    const bandwidth = monitor.networkBandwidth;
    const network = stack.use(await networks.attach(spec.id, { signal, bandwidth }));
    signal.throwIfAborted();
    const process = await monitor.start({ ...parts, spec, network, directory });
    signal.throwIfAborted();
    return process;
  }

  async #makeDirectory(id: string): Promise<string> {
    this.#directory ??= this.#makeParent();
    const path = join((await this.#directory).path, id);
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  async #makeParent(): Promise<TemporaryDirectory> {
    const parent = this.#options.temporaryDirectory ?? tmpdir();
    try {
      const directory = await makeTemporaryDirectory({ parent, prefix: "nex-machines" });
      // Monitors that run as somebody else pass through it.
      await chmod(directory.path, 0o711);
      return directory;
    } catch (error) {
      this.#directory = undefined;
      throw error;
    }
  }
}
