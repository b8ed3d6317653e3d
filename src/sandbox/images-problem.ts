import { errorText } from "../lib/errors.ts";
import { describeKernel } from "./kernel/describe-kernel.ts";
import { kernelProblem } from "./kernel/kernel-problem.ts";
import type { KernelHost } from "./kernel/kernel-problem.ts";
import { isFile } from "./machine-files.ts";
import type { MachineImages } from "./virtual-machine.ts";

/** Why machines cannot boot from these images there, with the next step; undefined when nothing speaks against it. */
export async function imagesProblem(
  { kernel, rootfs }: MachineImages,
  host: KernelHost,
): Promise<string | undefined> {
  const hasInitrd = kernel.initrd !== undefined;
  for (const file of [kernel.path, rootfs, ...(hasInitrd ? [kernel.initrd] : [])]) {
    if (!(await isFile(file))) return `There is no file "${file}": make it with \`nex node preflight\``;
  }
  try {
    const problem = kernelProblem(await describeKernel(kernel.path), { host, hasInitrd });
    if (problem === undefined) return undefined;
    const monitor = host === "firecracker" ? "Firecracker" : `QEMU (${host})`;
    return `${monitor} cannot boot the kernel "${kernel.path}": ${problem.reason}; ${problem.remedy} (docs/kernel.md)`;
  } catch (error) {
    return `${errorText(error)}; have one made with \`nex node preflight --force\` (docs/kernel.md)`;
  }
}
