/**
 * Runs each machine in a QEMU of its own, inside the machine's network namespace and a PID namespace, as an ordinary user.
 * With KVM where a guest boots with it, else by software emulation, which runs everywhere and boots slowly.
 */
import { findProgram } from "../../lib/find-program.ts";
import type { Logger } from "../../lib/logger.ts";
import { imagesProblem } from "../images-problem.ts";
import type { MachineMonitor } from "../machine-monitor.ts";
import type { VirtualMachineNetwork } from "../network/network.ts";
import { readNamespaceExit } from "../own-namespace.ts";
import type { RateLimiters } from "../rate-limiters.ts";
import type { SandboxDriver, SandboxProbe } from "../sandbox.ts";
import { VirtualMachineDriver } from "../virtual-machine-driver.ts";
import type { MachineImages, MetadataPublisher } from "../virtual-machine.ts";
import { probeAccelerator } from "./probe-accelerator.ts";
import type { AcceleratorVerdict } from "./probe-accelerator.ts";
import { machineTypeFor } from "./qemu-arguments.ts";
import type { Accelerator, MachineType } from "./qemu-arguments.ts";
import { startQemu } from "./start-qemu.ts";
import type { QemuUser } from "./start-qemu.ts";

export interface QemuOptions {
  /** Absolute path of `qemu-system-x86_64`. */
  readonly program: string;
  readonly images: MachineImages;
  readonly network: VirtualMachineNetwork;
  readonly metadata: MetadataPublisher;
  readonly rateLimiters?: RateLimiters;
  readonly logger: Logger;
  /** Where what guests write goes. Default: the system's temporary directory. */
  readonly temporaryDirectory?: string;
  /** Default `auto`: `q35` for kernels with an initrd, else `microvm`. */
  readonly machine?: MachineType | "auto";
  /** Default `auto`: `probeAccelerator` says. */
  readonly accelerator?: Accelerator | "auto";
  /** Where the verdict of `auto` is kept. Default: nowhere. */
  readonly verdictFile?: string;
  /** Whom QEMU runs as when we are root. Default nobody. */
  readonly user?: QemuUser;
}

/** A driver that runs agents in virtual machines of QEMU. */
export function createQemuDriver(options: QemuOptions): SandboxDriver {
  return new VirtualMachineDriver({ ...options, monitor: createMonitor(options) });
}

/** From the start of QEMU to the handshake of an agent, on a busy host. */
const EMULATED_BOOT_MS = 75_000;

type MonitorOptions = Omit<QemuOptions, "network" | "temporaryDirectory">;

function createMonitor(options: MonitorOptions): MachineMonitor {
  const { program, images, metadata, rateLimiters, logger, user } = options;
  const { machine = "auto", accelerator: wanted = "auto" } = options;
  const machineType = machine === "auto" ? machineTypeFor(images) : machine;
  let verdict: AcceleratorVerdict | undefined =
    wanted === "auto" ? undefined : { accelerator: wanted, reason: "as configured" };
  let judging: Promise<AcceleratorVerdict> | undefined;
  const judge = async (): Promise<AcceleratorVerdict> => {
    if (verdict !== undefined) return verdict;
    const { verdictFile: cacheFile } = options;
    judging ??= probeAccelerator({ program, images, machine: machineType, cacheFile });
    verdict = await judging;
    return verdict;
  };
  return {
    name: "qemu",
    networkBandwidth: rateLimiters?.bandwidth,
    get bootTimeMs() {
      return verdict?.accelerator === "kvm" ? 0 : EMULATED_BOOT_MS;
    },
    probe: async (): Promise<SandboxProbe> => {
      const reason = await whatIsMissing(program, images, machineType);
      if (reason !== undefined) return { kind: "unavailable", reason };
      const { accelerator, reason: why } = await judge();
      if (accelerator === "kvm") return { kind: "ready", detail: "virtual machine (QEMU, KVM)" };
      return { kind: "ready", detail: "virtual machine (QEMU, software emulation)", missing: [why] };
    },
    start: async ({ spec, network, ...parts }) => {
      const { accelerator } = await judge();
      parts.stack.use(metadata.publish(network.address, spec.metadata));
      logger.debug("Starting QEMU", { sandbox: spec.id, machine: machineType, accelerator });
      return startQemu({
        ...parts,
        program,
        namespace: network.namespace,
        user,
        machine: {
          name: spec.id,
          images,
          machine: machineType,
          accelerator,
          resources: spec.resources,
          network,
          rateLimiters,
        },
      });
    },
    readExit: readNamespaceExit,
  };
}

async function whatIsMissing(
  program: string,
  images: MachineImages,
  machine: MachineType,
): Promise<string | undefined> {
  if ((await findProgram(program)) === undefined) {
    return `There is no QEMU "${program}": install it with \`nex node preflight\` or \`apt-get install qemu-system-x86\``;
  }
  return imagesProblem(images, machine);
}
