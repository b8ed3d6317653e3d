import type { KernelDescription } from "./describe-kernel.ts";

/** What boots a kernel: Firecracker, or one of QEMU's machines. */
export type KernelHost = "firecracker" | "q35" | "microvm";

/** Why a kernel does not boot somewhere. */
export interface KernelProblem {
  /** `it is a bzImage, and Firecracker boots …` */
  readonly reason: string;
  /** The next step. */
  readonly remedy: string;
}

/** Why a kernel cannot be booted there; undefined when nothing in its file speaks against it (docs/kernel.md). */
export function kernelProblem(
  kernel: KernelDescription,
  options: { readonly host: KernelHost; readonly hasInitrd: boolean; readonly architecture?: string },
): KernelProblem | undefined {
  const { host, hasInitrd, architecture = process.arch } = options;
  if (kernel.architecture !== architecture) {
    return {
      reason: `it is for ${kernel.architecture}, and this host is ${architecture}`,
      remedy: "take a kernel for this processor",
    };
  }
  return formatProblem(kernel, host) ?? (hasInitrd ? undefined : driverProblem(kernel, host));
}

function formatProblem(
  { format, architecture, hasPvhEntry }: KernelDescription,
  host: KernelHost,
): KernelProblem | undefined {
  if (architecture === "arm64") {
    if (format === "image") return undefined;
    return { reason: "it is no arm64 Image", remedy: "take the file `Image` of the kernel's build" };
  }
  if (host === "firecracker") {
    if (format === "elf") return undefined;
    return {
      reason: `it is a ${format}, and Firecracker boots uncompressed ELF files (vmlinux) only`,
      remedy: "unpack it with the kernel's scripts/extract-vmlinux, or use QEMU (sandbox: qemu)",
    };
  }
  if (format !== "elf" || hasPvhEntry) return undefined;
  return {
    reason: "it is an ELF file without a PVH entry, and QEMU boots a bzImage or an ELF file that has one",
    remedy: "take the bzImage of the same build, or build it with CONFIG_PVH",
  };
}

/** Without an initrd everything has to be in the kernel. */
function driverProblem(
  { virtio, ext4, takesDevicesFromCommandLine }: KernelDescription,
  host: KernelHost,
): KernelProblem | undefined {
  const missing = Object.entries({ virtio, ext4 }).flatMap(([name, place]) =>
    place === "modules" ? [name] : [],
  );
  if (missing.length > 0) {
    return {
      reason: `it has no ${missing.join(" and no ")} built in, and there is no initrd that brings the modules`,
      remedy: 'name its initrd in initrd_filepath, or put it beside the kernel as "initrd"',
    };
  }
  if (host !== "microvm" || takesDevicesFromCommandLine !== false) return undefined;
  return {
    reason: "it takes no devices from its command line, and QEMU's microvm names them there",
    remedy: "build it with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES",
  };
}
