import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { startProcess } from "../../lib/managed-process.ts";
import type { ManagedProcess } from "../../lib/managed-process.ts";
import { bootProbe, PROBE_ARGUMENT, PROBE_RESOURCES } from "../boot-probe.ts";
import type { ProbeParts } from "../boot-probe.ts";
import { canOpenKvm, KVM } from "../kvm.ts";
import { readMonitorOutput } from "../monitor-output.ts";
import { readVerdict, writeVerdict } from "../verdict-cache.ts";
import type { MachineImages } from "../virtual-machine.ts";
import { BOOT_ARGUMENTS, bootSource, machineConfig } from "./machine-calls.ts";

/** Whether guests boot in Firecracker on this host, and how that is known. */
const FirecrackerVerdict = z.object({
  boots: z.boolean(),
  reason: z.string(),
  /** What the guest said last that did not boot. */
  lastLines: z.array(z.string()),
});
export type FirecrackerVerdict = Readonly<z.infer<typeof FirecrackerVerdict>>;

export interface FirecrackerProbeOptions {
  /** Absolute path of Firecracker. */
  readonly program: string;
  /** Their guest understands the kernel argument `nex.probe`. */
  readonly images: MachineImages;
  /** How long a guest may take. Default 5000. */
  readonly timeoutMs?: number;
  /** Where the verdict is kept, for the same Firecracker, images, processor and boot of the host. Default: nowhere. */
  readonly cacheFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 5000;

/**
 * Boots a guest without a network to see whether that works here, unless one has booted before. One that did not may have
 * met a busy host, and there is nothing else that a node could run then: it is tried again.
 */
export async function probeFirecracker(options: FirecrackerProbeOptions): Promise<FirecrackerVerdict> {
  const known = await knownFirecrackerVerdict(options);
  if (known?.boots === true) return known;
  const verdict = await judge(options);
  await writeVerdict(options.cacheFile, subjectOf(options), verdict);
  return verdict;
}

/** What an earlier probe has found, without a boot. */
export async function knownFirecrackerVerdict(
  options: FirecrackerProbeOptions,
): Promise<FirecrackerVerdict | undefined> {
  return readVerdict(options.cacheFile, subjectOf(options), FirecrackerVerdict);
}

function subjectOf({ program, images }: FirecrackerProbeOptions): Parameters<typeof readVerdict>[1] {
  return { program, images, machine: "firecracker" };
}

async function judge(options: FirecrackerProbeOptions): Promise<FirecrackerVerdict> {
  if (!(await canOpenKvm())) return { boots: false, reason: `cannot open "${KVM}"`, lastLines: [] };
  const { timeoutMs = TIMEOUT_MS, signal } = options;
  const probe = await bootProbe({ timeoutMs, signal }, async (parts) => startGuest(options, parts));
  return probe.kind === "booted"
    ? { boots: true, reason: "a guest booted in Firecracker", lastLines: [] }
    : { boots: false, reason: probe.reason, lastLines: [...probe.lastLines] };
}

async function startGuest(
  { program, images }: FirecrackerProbeOptions,
  { directory, signal, onOutput, stack }: ProbeParts,
): Promise<ManagedProcess> {
  const file = join(directory, "machine.json");
  await writeFile(file, JSON.stringify(configurationFile(images)));
  signal.throwIfAborted();
  const argv = ["--no-api", "--config-file", file];
  const monitor = await startProcess({ program, argv, environment: {}, workingDirectory: "/" });
  stack.use(readMonitorOutput(monitor, onOutput));
  stack.use(monitor);
  return monitor;
}

/**
 * A machine in the form of Firecracker's configuration files (its docs/getting-started.md, "Configuring the microVM
 * without sending API requests"): what the calls would say, by name. The drive is read only, so it need not be copied.
 */
function configurationFile({ kernel, rootfs }: MachineImages): object {
  return {
    "boot-source": bootSource({
      kernelPath: kernel.path,
      initrdPath: kernel.initrd,
      bootArguments: `${BOOT_ARGUMENTS} ${PROBE_ARGUMENT}`,
    }),
    "machine-config": machineConfig(PROBE_RESOURCES),
    drives: [{ drive_id: "1", path_on_host: rootfs, is_root_device: true, is_read_only: true }],
  };
}
