import { machineImages, verdictFile } from "../../node/configured-machine-driver.ts";
import type { NodeConfiguration } from "../../node/configuration.ts";
import type { HostPlan } from "../../preflight/host-plan.ts";
import { fitKernel } from "../../preflight/kernel-fit.ts";
import type { KernelFit } from "../../preflight/kernel-fit.ts";
import type { ReportProgress } from "../../preflight/requirement.ts";
import { probeVirtualization } from "../../preflight/virtualization.ts";
import type { Virtualization } from "../../preflight/virtualization.ts";
import { kernelLine } from "./kernel-line.ts";
import { virtualizationLines } from "./virtualization-line.ts";

export interface JudgementOptions {
  readonly configuration: NodeConfiguration;
  readonly plan: HostPlan;
  /** Boot nothing. */
  readonly check: boolean;
  /** Boot anew. */
  readonly force: boolean;
  readonly report: ReportProgress;
  readonly signal: AbortSignal;
  /** Gets what was found. */
  readonly line: (text: string) => void;
}

/** Whether this host runs virtual machines. `kernel` is absent when there is none. */
export interface MachineVerdict {
  readonly kernel?: Omit<KernelFit, "used">;
  readonly virtualization: Virtualization;
}

/** Tells which monitors can boot the kernel, and boots a guest where one can. */
export async function judgeMachines(options: JudgementOptions): Promise<MachineVerdict> {
  const { configuration, plan, line } = options;
  const images = machineImages(configuration);
  const fit = await fitKernel(plan, images);
  if (fit !== undefined) line(kernelLine(fit));
  const cacheFiles = {
    firecracker: verdictFile(configuration, "firecracker"),
    qemu: verdictFile(configuration, "qemu"),
  };
  const virtualization =
    fit?.hint === undefined
      ? await probeVirtualization({ ...options, images, cacheFiles })
      : unbootable(fit.hint);
  virtualizationLines(virtualization).forEach(line);
  if (fit === undefined) return { virtualization };
  const { used: _, ...kernel } = fit;
  return { kernel, virtualization };
}

function unbootable(hint: string): Virtualization {
  return { kind: "failed", detail: "nothing here can boot the kernel", hint, lastLines: [] };
}
