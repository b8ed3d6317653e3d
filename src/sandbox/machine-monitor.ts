/**
 * What differs between the virtual machine drivers: the monitor, a process that runs one machine.
 *
 * The driver around it (`virtual-machine-driver.ts`) makes directory and network of a machine before and removes them
 * after; a monitor gives what else it makes to `stack`, which is disposed once its process has ended or its start failed.
 */
import type { ManagedProcess } from "../lib/managed-process.ts";
import type { NetworkAttachment } from "./network/network.ts";
import type { TokenBucket } from "./rate-limiters.ts";
import type { SandboxExit, SandboxOutput, SandboxProbe, SandboxSpec } from "./sandbox.ts";

export interface MachineMonitor {
  readonly name: "qemu" | "firecracker";
  /** Of `SandboxDriver`; may be another once `probe` has looked at the host. */
  readonly bootTimeMs: number;
  /** Limits the network of each machine, where the monitor itself does not. */
  readonly networkBandwidth?: TokenBucket | undefined;
  probe(): Promise<SandboxProbe>;
  /** Resolves with the monitor's process, which is on the stack too, once the machine runs. Its end is the machine's. */
  start(machine: MachineParts): Promise<ManagedProcess>;
  /** What the end of its process means, where something stands around the monitor itself. */
  readonly readExit?: (exit: SandboxExit) => SandboxExit;
}

/** One machine to be started. */
export interface MachineParts {
  readonly spec: SandboxSpec;
  readonly network: NetworkAttachment;
  /** Empty, of this machine alone; the monitor may run as somebody else, who can pass through what is above it. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Output of the machine (its serial console, `stdout`) and of its monitor (`stderr`), already limited in size. */
  readonly onOutput: (output: SandboxOutput) => void;
  readonly stack: AsyncDisposableStack;
}
