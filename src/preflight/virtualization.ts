import { rm } from "node:fs/promises";
import { delimiter } from "node:path";
import { findProgram } from "../lib/find-program.ts";
import { knownVerdict, probeAccelerator, probeEmulation } from "../sandbox/qemu/probe-accelerator.ts";
import type { AcceleratorProbeOptions, AcceleratorVerdict } from "../sandbox/qemu/probe-accelerator.ts";
import { canOpenKvm, KVM } from "../sandbox/qemu/kvm.ts";
import type { CachedVerdict } from "../sandbox/qemu/verdict-cache.ts";
import { machineTypeFor, QEMU_PROGRAM } from "../sandbox/qemu/qemu-arguments.ts";
import type { MachineImages } from "../sandbox/virtual-machine.ts";
import type { HostPlan } from "./host-plan.ts";
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
  readonly cacheFile: string;
  /** Boot nothing: only what is known from earlier. */
  readonly check: boolean;
  /** Forget what is known from earlier. */
  readonly force: boolean;
  readonly report: ReportProgress;
  readonly signal: AbortSignal;
}

const USE_QEMU =
  'Run machines without KVM, by QEMU: install it and set "sandbox": "qemu" in the configuration';

/** Boots a guest, to tell whether KVM really works, and without it whether software emulation does. */
export async function probeVirtualization(parts: VirtualizationParts): Promise<Virtualization> {
  const { plan, images, cacheFile, check, force, report, signal } = parts;
  const program = await findProgram(QEMU_PROGRAM, { path: plan.binPath.join(delimiter) });
  if (program === undefined) return withoutQemu();
  const options = { program, images, machine: machineTypeFor(images), cacheFile, signal };
  if (force) await rm(cacheFile, { force: true });
  const known = await knownVerdict(options);
  const before = known === undefined ? undefined : decided(known, plan);
  if (before !== undefined) return before;
  if (check) {
    const detail =
      known === undefined ? "not tried yet" : `${known.reason}; software emulation not tried yet`;
    return { kind: "unknown", detail };
  }
  report("Booting a guest");
  const verdict = await probeAccelerator(options);
  return decided(verdict, plan) ?? emulated(options, verdict, report);
}

/** What follows from a verdict alone; undefined when a guest has to be booted with software emulation. */
function decided(
  { accelerator, reason, emulationBoots }: CachedVerdict,
  plan: HostPlan,
): Virtualization | undefined {
  if (accelerator === "kvm") return { kind: "kvm", detail: reason };
  if (plan.sandbox === "firecracker") return withoutKvm(reason);
  return emulationBoots === true ? { kind: "emulation", detail: reason } : undefined;
}

function withoutKvm(reason: string): Virtualization {
  return { kind: "failed", detail: `Firecracker needs KVM: ${reason}`, hint: USE_QEMU, lastLines: [] };
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

/** Only with Firecracker alone, which is not booted without a network. */
async function withoutQemu(): Promise<Virtualization> {
  if (!(await canOpenKvm())) return withoutKvm(`cannot open "${KVM}"`);
  const detail = `"${KVM}" is there; without QEMU nothing tells whether it works before a machine starts`;
  return { kind: "unknown", detail };
}
