import { delimiter } from "node:path";
import { errorText } from "../lib/errors.ts";
import { findProgram } from "../lib/find-program.ts";
import { isFile } from "../sandbox/machine-files.ts";
import { describeKernel } from "../sandbox/kernel/describe-kernel.ts";
import { kernelProblem } from "../sandbox/kernel/kernel-problem.ts";
import type { KernelProblem } from "../sandbox/kernel/kernel-problem.ts";
import { machineTypeFor, QEMU_PROGRAM } from "../sandbox/qemu/qemu-arguments.ts";
import type { MachineImages } from "../sandbox/virtual-machine.ts";
import type { HostPlan } from "./host-plan.ts";

/** A virtual machine monitor. */
export type MonitorName = "firecracker" | "qemu";

/** Which monitors can boot a kernel: of each, why it cannot, and null when nothing speaks against it. */
export interface KernelFit extends Readonly<Record<MonitorName, string | null>> {
  /** `6.1.0-50-cloud-amd64, elf with an initrd` */
  readonly detail: string;
  /** The monitors that a node with this configuration would use. */
  readonly used: readonly MonitorName[];
  /** The next step, when none of them can. */
  readonly hint?: string;
}

/** Looks at the kernel that a node would boot; undefined when there is none. */
export async function fitKernel(plan: HostPlan, images: MachineImages): Promise<KernelFit | undefined> {
  const { path, initrd } = images.kernel;
  if (!(await isFile(path))) return undefined;
  const used = await usedMonitors(plan);
  const hasInitrd = initrd !== undefined;
  try {
    const kernel = await describeKernel(path);
    const problems: Record<MonitorName, KernelProblem | undefined> = {
      firecracker: kernelProblem(kernel, { host: "firecracker", hasInitrd }),
      qemu: kernelProblem(kernel, { host: machineTypeFor(images), hasInitrd }),
    };
    const { version = "unknown version", format } = kernel;
    return {
      detail: `${version}, ${format}${hasInitrd ? " with an initrd" : ""}`,
      firecracker: problems.firecracker?.reason ?? null,
      qemu: problems.qemu?.reason ?? null,
      used,
      ...hintOf(used.map((name) => problems[name])),
    };
  } catch (error) {
    const reason = errorText(error);
    const hint = "Have a kernel made with `nex node preflight --force`, or look into docs/kernel.md";
    return { detail: path, firecracker: reason, qemu: reason, used, hint };
  }
}

function hintOf(problems: readonly (KernelProblem | undefined)[]): { readonly hint?: string } {
  const [first] = problems;
  if (first === undefined || problems.includes(undefined)) return {};
  const { remedy } = first;
  return {
    hint: `${remedy[0]?.toUpperCase()}${remedy.slice(1)}; or have one made with \`nex node preflight --force\` (docs/kernel.md)`,
  };
}

async function usedMonitors({ sandbox, binPath }: HostPlan): Promise<readonly MonitorName[]> {
  if (sandbox === "firecracker" || sandbox === "qemu") return [sandbox];
  const path = binPath.join(delimiter);
  const programs = { firecracker: "firecracker", qemu: QEMU_PROGRAM } as const;
  const names = Object.keys(programs) as MonitorName[];
  const found = await Promise.all(names.map(async (name) => findProgram(programs[name], { path })));
  const installed = names.filter((_, index) => found[index] !== undefined);
  return installed.length > 0 ? installed : names;
}
