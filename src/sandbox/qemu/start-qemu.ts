import { Duplex } from "node:stream";
import { startProcess } from "../../lib/managed-process.ts";
import type { ManagedProcess } from "../../lib/managed-process.ts";
import { readMonitorOutput } from "../monitor-output.ts";
import { ownNamespacePrefix } from "../own-namespace.ts";
import type { SandboxOutput } from "../sandbox.ts";
import { systemTool } from "../system-tools.ts";
import { whileRunning } from "../while-running.ts";
import { CONTROL_FD, qemuArguments } from "./qemu-arguments.ts";
import type { QemuMachine } from "./qemu-arguments.ts";
import { untilMachineRuns } from "./until-machine-runs.ts";

/** Who QEMU becomes once it has opened its files and devices. */
export interface QemuUser {
  readonly uid: number;
  readonly gid: number;
}

/** On most systems nobody and its group. */
const NOBODY: QemuUser = { uid: 65_534, gid: 65_534 };

/**
 * QEMU gives up its privileges itself, after it has opened images, tap and /dev/kvm, which an ordinary user may not; so
 * `elevateprivileges` cannot be denied. As an ordinary user without capabilities it could not elevate any.
 */
const SYSTEM_CALLS = "on,obsolete=deny,spawn=deny,resourcecontrol=deny";

export interface QemuStartParts {
  /** Absolute path. */
  readonly program: string;
  readonly machine: QemuMachine;
  /** Network namespace. Default: ours. */
  readonly namespace?: string;
  /** For what the guest writes. */
  readonly directory: string;
  readonly user?: QemuUser | undefined;
  readonly signal: AbortSignal;
  readonly onOutput: (output: SandboxOutput) => void;
  /** Gets the process. */
  readonly stack: AsyncDisposableStack;
}

/** Starts QEMU in a PID namespace; resolves once the machine runs. */
export async function startQemu(parts: QemuStartParts): Promise<ManagedProcess> {
  const { program, machine, namespace, directory, user = NOBODY, signal, onOutput, stack } = parts;
  const isRoot = process.getuid?.() === 0;
  const [first = program, ...argv] = [
    ...(isRoot ? await ownNamespacePrefix() : []),
    ...(namespace === undefined ? [] : [await systemTool("ip"), "netns", "exec", namespace]),
    program,
    ...qemuArguments(machine),
    "-sandbox",
    isRoot ? SYSTEM_CALLS : `${SYSTEM_CALLS},elevateprivileges=deny`,
    ...(isRoot ? ["-runas", `${user.uid}:${user.gid}`] : []),
  ];
  signal.throwIfAborted();
  const qemu = await startProcess({
    program: first,
    argv,
    environment: { TMPDIR: directory },
    workingDirectory: "/",
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  stack.use(readMonitorOutput(qemu, onOutput));
  stack.use(qemu);
  const control = qemu.child.stdio[CONTROL_FD];
  if (!(control instanceof Duplex)) throw new Error("the control connection is missing");
  stack.defer(() => {
    control.destroy();
  });
  await whileRunning(qemu, signal, (running) => untilMachineRuns(control, running));
  return qemu;
}
