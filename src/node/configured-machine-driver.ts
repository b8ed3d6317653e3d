import { join } from "node:path";
import { NexError } from "../lib/errors.ts";
import { findProgram } from "../lib/find-program.ts";
import type { Logger } from "../lib/logger.ts";
import type { MonitorName } from "../preflight/kernel-fit.ts";
import { createFirecrackerDriver } from "../sandbox/firecracker/firecracker-driver.ts";
import { probeFirecracker } from "../sandbox/firecracker/probe-firecracker.ts";
import type { VirtualMachineNetwork } from "../sandbox/network/network.ts";
import { QEMU_PROGRAM } from "../sandbox/qemu/qemu-arguments.ts";
import { createQemuDriver } from "../sandbox/qemu/qemu-driver.ts";
import type { RateLimiters, TokenBucket } from "../sandbox/rate-limiters.ts";
import type { SandboxDriver } from "../sandbox/sandbox.ts";
import type { MachineImages, MetadataPublisher } from "../sandbox/virtual-machine.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { configuredInitrd, hostPlan } from "./host-plan.ts";

export interface MachineDriverParts {
  readonly configuration: NodeConfiguration;
  readonly network: VirtualMachineNetwork;
  readonly metadata: MetadataPublisher;
  /** The environment variable PATH. */
  readonly searchPath: string;
  readonly logger: Logger;
}

/**
 * The driver of virtual machines that the configuration asks for. `auto` is Firecracker where it is installed and a guest
 * boots in it, else QEMU; never less than a virtual machine.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` when there is no monitor
 */
export async function configuredMachineDriver(parts: MachineDriverParts): Promise<SandboxDriver> {
  const { configuration, searchPath } = parts;
  const { binPath } = hostPlan(configuration, searchPath);
  const find = async (program: string): Promise<string | undefined> =>
    findProgram(program, { path: binPath.join(":") });
  switch (configuration.sandbox) {
    case "firecracker":
      return firecrackerDriver(parts, (await find("firecracker")) ?? missing("firecracker"));
    case "qemu":
      return qemuDriver(parts, (await find(QEMU_PROGRAM)) ?? missing(QEMU_PROGRAM));
    case "auto":
    case "process": {
      const [firecracker, qemu] = [await find("firecracker"), await find(QEMU_PROGRAM)];
      if (firecracker !== undefined && (qemu === undefined || (await bootsIn(firecracker, configuration)))) {
        return firecrackerDriver(parts, firecracker);
      }
      return qemuDriver(parts, qemu ?? missing(`firecracker or ${QEMU_PROGRAM}`));
    }
  }
}

/** What machines boot from. */
export function machineImages(configuration: NodeConfiguration): MachineImages {
  const initrd = configuredInitrd(configuration);
  return {
    kernel: { path: configuration.kernel_filepath ?? "", ...(initrd === undefined ? {} : { initrd }) },
    rootfs: configuration.rootfs_filepath ?? "",
  };
}

/** Where it is kept what guests of a monitor have shown about this host. */
export function verdictFile({ state_dir: directory }: NodeConfiguration, monitor: MonitorName): string {
  return join(directory, monitor === "qemu" ? "accelerator.json" : "firecracker.json");
}

async function bootsIn(firecracker: string, configuration: NodeConfiguration): Promise<boolean> {
  const images = machineImages(configuration);
  const cacheFile = verdictFile(configuration, "firecracker");
  return (await probeFirecracker({ program: firecracker, images, cacheFile })).boots;
}

function qemuDriver(
  { configuration, network, metadata, logger }: MachineDriverParts,
  program: string,
): SandboxDriver {
  return createQemuDriver({
    program,
    images: machineImages(configuration),
    network,
    metadata,
    logger,
    verdictFile: verdictFile(configuration, "qemu"),
    ...rateLimiters(configuration),
  });
}

function firecrackerDriver(
  { configuration, network, logger }: MachineDriverParts,
  program: string,
): SandboxDriver {
  const { jailer } = configuration;
  return createFirecrackerDriver({
    program,
    images: machineImages(configuration),
    network,
    logger,
    verdictFile: verdictFile(configuration, "firecracker"),
    ...(jailer === undefined ? {} : { jailer: { program: jailer.path, uid: jailer.uid, gid: jailer.gid } }),
    ...rateLimiters(configuration),
  });
}

function rateLimiters({ rate_limiters: given }: NodeConfiguration): { readonly rateLimiters?: RateLimiters } {
  if (given === undefined) return {};
  const { bandwidth, iops } = given;
  return {
    rateLimiters: {
      ...(bandwidth === undefined ? {} : { bandwidth: bucket(bandwidth) }),
      ...(iops === undefined ? {} : { iops: bucket(iops) }),
    },
  };
}

function bucket(given: {
  readonly size: number;
  readonly refill_time: number;
  readonly one_time_burst?: number | undefined;
}): TokenBucket {
  const { size, refill_time: refillTimeMs, one_time_burst: oneTimeBurst } = given;
  return { size, refillTimeMs, ...(oneTimeBurst === undefined ? {} : { oneTimeBurst }) };
}

function missing(program: string): never {
  throw new NexError({
    code: "SANDBOX_UNAVAILABLE",
    message: `Cannot start the node: binary not found: ${program}`,
    hint: "Get this host ready with `nex node preflight`, or run workloads without a sandbox: `nex node up --no-sandbox`",
  });
}
