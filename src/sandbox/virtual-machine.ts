/** What the virtual machine drivers have in common: images, kernel arguments, metadata. */
import type { NetworkAttachment } from "./network/network.ts";

/** What a virtual machine boots from. The files are never written to. */
export interface MachineImages {
  readonly kernel: GuestKernel;
  /** An ext4 image that meets protocol.md section 13. */
  readonly rootfs: string;
}

/** A kernel, with the modules it needs to find its disk where they are not built in. */
export interface GuestKernel {
  /** `vmlinux` (ELF) or `bzImage`. */
  readonly path: string;
  /** cpio archive, for kernels whose virtio drivers are modules (Debian's). */
  readonly initrd?: string;
}

/** Serves each machine its metadata, for monitors that cannot do it themselves. */
export interface MetadataPublisher {
  /** Until disposed, whoever asks from `address` gets `document` (protocol.md 5.2). */
  publish(address: string, document: Readonly<Record<string, string | number>>): Disposable;
}

/**
 * The kernel's `ip=` argument (its Documentation/admin-guide/nfs/nfsroot.rst), also read by the init of our own image where
 * the kernel does not.
 */
export function networkBootArgument({
  address,
  gateway,
  netmask,
  nameservers,
}: Pick<NetworkAttachment, "address" | "gateway" | "netmask" | "nameservers">): string {
  const [first = "", second = ""] = nameservers;
  return `ip=${address}::${gateway}:${netmask}:::off:${first}:${second}:`;
}
