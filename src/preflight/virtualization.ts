import { rm } from "node:fs/promises";
import { delimiter } from "node:path";
import { findProgram } from "../lib/find-program.ts";
import { knownFirecrackerVerdict, probeFirecracker } from "../sandbox/firecracker/probe-firecracker.ts";
import type { FirecrackerVerdict } from "../sandbox/firecracker/probe-firecracker.ts";
import { canOpenKvm, KVM } from "../sandbox/kvm.ts";
import { knownVerdict, probeAccelerator, probeEmulation } from "../sandbox/qemu/probe-accelerator.ts";
import type {
  AcceleratorProbeOptions,
  AcceleratorVerdict,
  CachedVerdict,
} from "../sandbox/qemu/probe-accelerator.ts";
import { machineTypeFor, QEMU_PROGRAM } from "../sandbox/qemu/qemu-arguments.ts";
import type { MachineImages } from "../sandbox/virtual-machine.ts";
import type { HostPlan } from "./host-plan.ts";
import type { MonitorName } from "./kernel-fit.ts";
import type { ReportProgress } from "./requirement.ts";

/** How virtual machines run on this host. */
export type Virtualization =
  | { readonly kind: "kvm"; readonly detail: string }
  /** It runs, slowly; `detail` says why there is no KVM. */
  | { readonly kind: "emulation"; readonly detail: string }
  /** Nothing has been tried. */
  | { readonly kind: "unknown"; readonly detail: string }
  /** No machine runs. `hint` is the next step, `lastLines` what the guest said last. */
  | {
      readonly kind: "failed";
      readonly detail: string;
      readonly hint: string;
      readonly lastLines: readonly string[];
    };

export interface VirtualizationParts {
  readonly plan: HostPlan;
  readonly images: MachineImages;
  /** Where verdicts are kept. */
  readonly cacheFiles: Readonly<Record<MonitorName, string>>;
  /** Boot nothing: only what is known from earlier. */
  readonly check: boolean;
  /** Forget what is known from earlier. */
  readonly force: boolean;
  readonly report: ReportProgress;
  readonly signal: AbortSignal;
}

const USE_QEMU =
  'Run machines without KVM, by QEMU: install it and set "sandbox": "qemu" in the configuration';

/** Boots a guest in the monitor that a node would use, to tell whether KVM really works, and where not in QEMU without. */
export async function probeVirtualization(parts: VirtualizationParts): Promise<Virtualization> {
  const { plan, cacheFiles, force } = parts;
  const path = plan.binPath.join(delimiter);
  const firecracker = plan.sandbox === "qemu" ? undefined : await findProgram("firecracker", { path });
  const qemu = plan.sandbox === "firecracker" ? undefined : await findProgram(QEMU_PROGRAM, { path });
  if (force) await Promise.all(Object.values(cacheFiles).map((file) => rm(file, { force: true })));
  if (firecracker !== undefined) {
    const found = await tryFirecracker(parts, firecracker);
    if (found.kind !== "failed" || qemu === undefined) return found;
  }
  if (qemu !== undefined) return tryQemu(parts, qemu);
  if (plan.sandbox === "firecracker" && !(await canOpenKvm())) {
    return notInFirecracker({ reason: `cannot open "${KVM}"`, lastLines: [] });
  }
  return { kind: "unknown", detail: "there is nothing yet to boot a guest with" };
}

async function tryFirecracker(parts: VirtualizationParts, program: string): Promise<Virtualization> {
  const { images, cacheFiles, check, report, signal } = parts;
  const options = { program, images, cacheFile: cacheFiles.firecracker, signal };
  const known = await knownFirecrackerVerdict(options);
  if (known === undefined && check) return { kind: "unknown", detail: "not tried yet" };
  const decides = known !== undefined && (known.boots || check);
  if (!decides) report("Booting a guest in Firecracker");
  const verdict = decides ? known : await probeFirecracker(options);
  return verdict.boots ? { kind: "kvm", detail: verdict.reason } : notInFirecracker(verdict);
}

function notInFirecracker({ reason, lastLines }: Omit<FirecrackerVerdict, "boots">): Virtualization {
  return { kind: "failed", detail: `Firecracker boots no guest: ${reason}`, hint: USE_QEMU, lastLines };
}

async function tryQemu(parts: VirtualizationParts, program: string): Promise<Virtualization> {
  const { images, cacheFiles, check, report, signal } = parts;
  const options = { program, images, machine: machineTypeFor(images), cacheFile: cacheFiles.qemu, signal };
  const known = await knownVerdict(options);
  const before = known === undefined ? undefined : decided(known);
  if (before !== undefined) return before;
  if (check) {
    const detail =
      known === undefined ? "not tried yet" : `${known.reason}; software emulation not tried yet`;
    return { kind: "unknown", detail };
  }
  report("Booting a guest");
  const verdict = await probeAccelerator(options);
  return decided(verdict) ?? emulated(options, verdict, report);
}

/** What follows from a verdict alone; undefined when a guest has to be booted with software emulation. */
function decided({ accelerator, reason, emulationBoots }: CachedVerdict): Virtualization | undefined {
  if (accelerator === "kvm") return { kind: "kvm", detail: reason };
  return emulationBoots === true ? { kind: "emulation", detail: reason } : undefined;
}

async function emulated(
  options: AcceleratorProbeOptions,
  verdict: AcceleratorVerdict,
  report: ReportProgress,
): Promise<Virtualization> {
  report("Booting a guest with software emulation");
  const probe = await probeEmulation(options, verdict);
  if (probe.kind === "booted") return { kind: "emulation", detail: verdict.reason };
  return {
    kind: "failed",
    detail: `software emulation: ${probe.reason}`,
    hint: "Have kernel and root file system made again with `nex node preflight --force`, or look into docs/kernel.md",
    lastLines: probe.lastLines,
  };
}
