import type { NetworkAttachment } from "../network/network.ts";
import type { RateLimiters } from "../rate-limiters.ts";
import type { SandboxResources } from "../sandbox.ts";
import { networkBootArgument } from "../virtual-machine.ts";
import type { MachineImages } from "../virtual-machine.ts";
import { driveThrottling } from "./throttling.ts";

/** File name of QEMU for machines of this kind. */
export const QEMU_PROGRAM = `qemu-system-${process.arch === "arm64" ? "aarch64" : "x86_64"}`;

/** What runs a guest's instructions: the processor, or QEMU's own translator. */
export type Accelerator = "kvm" | "tcg";

/**
 * The machine that a guest sees. `q35`: a PC with PCI, for kernels whose drivers come in an initrd. `microvm`: no PCI and
 * no ACPI, for kernels with everything built in; boots faster. With ACPI it resets now and then under software emulation.
 */
export type MachineType = "q35" | "microvm";

/** The machine for a kernel: only `q35` finds the devices whose drivers come in an initrd. */
export function machineTypeFor({ kernel }: MachineImages): MachineType {
  return kernel.initrd === undefined ? "microvm" : "q35";
}

/** One machine as QEMU is told of it. */
export interface QemuMachine {
  readonly name: string;
  readonly images: MachineImages;
  readonly machine: MachineType;
  readonly accelerator: Accelerator;
  readonly resources: SandboxResources;
  /** Without one the machine has no network. */
  readonly network?: NetworkAttachment;
  readonly rateLimiters?: RateLimiters | undefined;
  /** More arguments for the guest's kernel; everybody in the guest can read them. */
  readonly bootArguments?: readonly string[];
}

/** The file descriptor of QEMU's control connection. */
export const CONTROL_FD = 3;

/** QEMU's arguments. Nothing is written to the images: QEMU keeps what the guest writes in a file in TMPDIR. */
export function qemuArguments(machine: QemuMachine): readonly string[] {
  const { images, network, accelerator, resources, rateLimiters = {} } = machine;
  const device = (kind: string): string => `virtio-${kind}-${machine.machine === "q35" ? "pci" : "device"}`;
  const drive = [
    "id=root",
    "if=none",
    "format=raw",
    "snapshot=on",
    `file=${escapeComma(images.rootfs)}`,
    ...driveThrottling(rateLimiters),
  ];
  const options: readonly (readonly string[])[] = [
    ["-name", machine.name],
    ["-M", MACHINES[machine.machine]],
    ["-accel", accelerator],
    // Whatever the accelerator can do: other models are slower under software emulation.
    ["-cpu", accelerator === "kvm" ? "host" : "max"],
    ["-smp", String(resources.vcpuCount)],
    ["-m", String(resources.memoryMiB)],
    ["-nodefaults", "-no-user-config", "-no-reboot"],
    ["-display", "none"],
    ["-serial", "stdio"],
    ["-chardev", `socket,id=control,fd=${CONTROL_FD}`],
    ["-mon", "chardev=control,mode=control"],
    ["-kernel", images.kernel.path],
    images.kernel.initrd === undefined ? [] : ["-initrd", images.kernel.initrd],
    ["-append", bootArguments(machine)],
    ["-drive", drive.join(",")],
    ["-device", `${device("blk")},drive=root`],
    network === undefined ? [] : networkArguments(network, device("net")),
  ];
  return options.flat();
}

const MACHINES: Readonly<Record<MachineType, string>> = {
  q35: "q35,usb=off,vmport=off",
  microvm: "microvm,acpi=off",
};

/**
 * A guest that panics or reboots resets its machine, which ends QEMU (`-no-reboot`). Linux counts its first timer ticks and
 * panics when they are few, as on a busy host with software emulation; with KVM it does not count by itself.
 */
function bootArguments({ network, accelerator, bootArguments: more = [] }: QemuMachine): string {
  const fixed = "console=ttyS0 quiet reboot=t panic=-1 root=/dev/vda rw";
  const emulated = accelerator === "tcg" ? ["no_timer_check"] : [];
  const ip = network === undefined ? [] : [networkBootArgument(network)];
  return [fixed, ...emulated, ...ip, ...more].join(" ");
}

function networkArguments({ tapName, macAddress }: NetworkAttachment, device: string): readonly string[] {
  const rom = device.endsWith("pci") ? ",romfile=" : "";
  return [
    "-netdev",
    `tap,id=net,ifname=${tapName},script=no,downscript=no,vhost=off`,
    "-device",
    `${device},netdev=net,mac=${macAddress}${rom}`,
  ];
}

/** In QEMU's options a comma within a value is written twice. */
function escapeComma(value: string): string {
  return value.replaceAll(",", ",,");
}
