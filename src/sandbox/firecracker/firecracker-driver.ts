/**
 * Runs each machine in a Firecracker of its own, inside the machine's network namespace, described over its API socket
 * (protocol.md 11.2). Metadata are Firecracker's own service (MMDS).
 */
import { findProgram } from "../../lib/find-program.ts";
import type { Logger } from "../../lib/logger.ts";
import { startProcess } from "../../lib/managed-process.ts";
import type { ManagedProcess } from "../../lib/managed-process.ts";
import { imagesProblem } from "../images-problem.ts";
import { canOpenKvm, KVM } from "../kvm.ts";
import type { MachineMonitor, MachineParts } from "../machine-monitor.ts";
import { readMonitorOutput } from "../monitor-output.ts";
import type { VirtualMachineNetwork } from "../network/network.ts";
import type { RateLimiters } from "../rate-limiters.ts";
import type { SandboxDriver, SandboxProbe } from "../sandbox.ts";
import { VirtualMachineDriver } from "../virtual-machine-driver.ts";
import type { MachineImages } from "../virtual-machine.ts";
import { whileRunning } from "../while-running.ts";
import { callFirecracker, untilApiListens } from "./firecracker-api.ts";
import { prepareJail } from "./jail.ts";
import type { JailerOptions } from "./jail.ts";
import { machineCalls, metadataCall } from "./machine-calls.ts";
import { openMonitorLog } from "./monitor-log.ts";
import { probeFirecracker } from "./probe-firecracker.ts";
import { prepareDirectory } from "./residence.ts";

export interface FirecrackerOptions {
  /** Absolute path of `firecracker`. */
  readonly program: string;
  /** Default: Firecracker runs as us, without a jail. */
  readonly jailer?: JailerOptions;
  readonly images: MachineImages;
  readonly network: VirtualMachineNetwork;
  readonly rateLimiters?: RateLimiters;
  readonly logger: Logger;
  /** Where copies of the root file system go. Default: the system's temporary directory. */
  readonly temporaryDirectory?: string;
  /** Where it is kept whether guests boot here. Default: nowhere. */
  readonly verdictFile?: string;
}

/** A driver that runs agents in Firecracker's virtual machines. */
export function createFirecrackerDriver(options: FirecrackerOptions): SandboxDriver {
  return new VirtualMachineDriver({ ...options, monitor: firecrackerMonitor(options) });
}

/** Of unix(7). */
const MAX_SOCKET_PATH = 107;

type MonitorOptions = Pick<
  FirecrackerOptions,
  "program" | "jailer" | "images" | "rateLimiters" | "verdictFile"
>;

function firecrackerMonitor(options: MonitorOptions): MachineMonitor {
  return {
    name: "firecracker",
    bootTimeMs: 0,
    probe: () => probe(options),
    start: (machine) => startFirecracker(options, machine),
  };
}

async function probe(options: MonitorOptions): Promise<SandboxProbe> {
  const { program, jailer, images, verdictFile: cacheFile } = options;
  const missing = await whatIsMissing({ program, jailer, images });
  if (missing !== undefined) return { kind: "unavailable", reason: missing };
  const { boots, reason } = await probeFirecracker({ program, images, cacheFile });
  if (!boots) {
    return { kind: "unavailable", reason: `No guest boots in Firecracker: ${reason}; use the driver qemu` };
  }
  return { kind: "ready", detail: `virtual machine (Firecracker${jailer === undefined ? "" : ", jailer"})` };
}

async function whatIsMissing({
  program,
  jailer,
  images,
}: Pick<FirecrackerOptions, "program" | "images"> & {
  readonly jailer: JailerOptions | undefined;
}): Promise<string | undefined> {
  if ((await findProgram(program)) === undefined) {
    return `There is no Firecracker "${program}": install it with \`nex node preflight\``;
  }
  if (jailer !== undefined && (await findProgram(jailer.program)) === undefined) {
    return `There is no jailer "${jailer.program}": install the one of Firecracker's release`;
  }
  const problem = await imagesProblem(images, "firecracker");
  if (problem !== undefined) return problem;
  if (!(await canOpenKvm())) {
    return `Cannot open "${KVM}": load the module kvm_intel or kvm_amd, run as root or as a member of the group kvm, or use the driver qemu`;
  }
  return undefined;
}

async function startFirecracker(options: MonitorOptions, machine: MachineParts): Promise<ManagedProcess> {
  const { program, jailer, images, rateLimiters } = options;
  const { spec, network, signal, onOutput, stack } = machine;
  const parts = { program, images, machine };
  const residence = await (jailer === undefined ? prepareDirectory(parts) : prepareJail(jailer, parts));
  if (Buffer.byteLength(residence.socketPath) > MAX_SOCKET_PATH) {
    throw new Error(`"${residence.socketPath}" is too long for a socket; use a shorter temporary directory`);
  }
  stack.use(await openMonitorLog(residence.logPath, (line) => onOutput({ stream: "stderr", line })));
  await residence.own(residence.logPath);
  signal.throwIfAborted();
  const [first = program, ...argv] = residence.command;
  const monitor = await startProcess({ program: first, argv, environment: {}, workingDirectory: "/" });
  stack.use(readMonitorOutput(monitor, onOutput));
  stack.use(monitor);
  await whileRunning(monitor, signal, async (running) => {
    await untilApiListens(residence.socketPath, running);
    const { resources } = spec;
    const calls = machineCalls({ ...residence.inside, resources, network, rateLimiters });
    for (const call of [...calls, metadataCall(spec.metadata)]) {
      await callFirecracker(residence.socketPath, call, running);
    }
  });
  return monitor;
}
