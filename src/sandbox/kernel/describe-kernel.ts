import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { errorText } from "../../lib/errors.ts";
import { bootImageVersion, isBootImage, uncompressedKernel } from "./boot-image.ts";
import { kernelInvalid } from "./kernel-invalid.ts";
import { elfMachine, hasPvhEntry } from "./kernel-elf.ts";

/** What a kernel file is and what it has built in, which decides what can boot it (docs/kernel.md). */
export interface KernelDescription {
  /** `elf`: uncompressed vmlinux. `bzImage`: compressed, x86. `image`: uncompressed, arm64. */
  readonly format: "elf" | "bzImage" | "image";
  readonly architecture: "x64" | "arm64";
  /** `6.1.0-50-cloud-amd64`; undefined when the file does not say. */
  readonly version: string | undefined;
  /** An ELF file that QEMU can start directly. */
  readonly hasPvhEntry: boolean;
  /** The disk and network drivers. */
  readonly virtio: DriverPlace;
  /** The file system of the root disk. */
  readonly ext4: DriverPlace;
  /** Whether it takes devices from its command line, as QEMU's `microvm,acpi=off` needs; undefined: unknown. */
  readonly takesDevicesFromCommandLine: boolean | undefined;
}

/** Where drivers are: those that are `modules` come in an initramfs. `unknown`: the kernel cannot be unpacked here. */
type DriverPlace = "built-in" | "modules" | "unknown";

/**
 * Describes a kernel file.
 *
 * @throws {NexError} `KERNEL_INVALID`
 */
export async function describeKernel(path: string): Promise<KernelDescription> {
  const file = await readKernel(path);
  if (isBootImage(file)) {
    const [version] = bootImageVersion(file).split(" ");
    return {
      format: "bzImage",
      architecture: "x64",
      version,
      hasPvhEntry: false,
      ...driversOf(unpacked(file)),
    };
  }
  const version = /Linux version (\S+) /.exec(textAround(file, "Linux version "))?.[1];
  if (file.toString("latin1", 0x38, 0x3c) === "ARMd") {
    return { format: "image", architecture: "arm64", version, hasPvhEntry: false, ...driversOf(file) };
  }
  const architecture = elfMachine(file);
  if (architecture === undefined) throw kernelInvalid(path, "it is neither ELF, bzImage nor an arm64 image");
  return { format: "elf", architecture, version, hasPvhEntry: hasPvhEntry(file), ...driversOf(file) };
}

/**
 * Writes the ELF file that is inside a bzImage, as Firecracker needs it.
 *
 * @throws {NexError} `KERNEL_INVALID`
 */
export async function extractVmlinux(bzImage: string, output: string): Promise<void> {
  const file = await readKernel(bzImage);
  if (!isBootImage(file)) throw kernelInvalid(bzImage, "it is no bzImage");
  const made = `${output}.${process.pid}.making`;
  try {
    await writeFile(made, uncompressedKernel(file));
    await rename(made, output);
  } catch (cause) {
    await rm(made, { force: true });
    throw kernelInvalid(bzImage, errorText(cause), cause);
  }
}

async function readKernel(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw kernelInvalid(path, errorText(cause), cause);
  });
}

function unpacked(image: Buffer): Buffer | undefined {
  try {
    return uncompressedKernel(image);
  } catch {
    return undefined;
  }
}

/** Drivers that are built in leave the names of their parameters in the kernel; those of modules are in the modules. */
const DISK_PARAMETER = "virtio_blk.queue_depth";
const NETWORK_PARAMETER = "virtio_net.napi_tx";
const DEVICES_PARAMETER = "virtio_mmio.device";
/** What begins the messages of the file system, which has no parameters. */
const EXT4_MESSAGE = "EXT4-fs";

function driversOf(
  kernel: Buffer | undefined,
): Pick<KernelDescription, "virtio" | "ext4" | "takesDevicesFromCommandLine"> {
  if (kernel === undefined) {
    return { virtio: "unknown", ext4: "unknown", takesDevicesFromCommandLine: undefined };
  }
  const placeOf = (...texts: readonly string[]): DriverPlace =>
    texts.every((text) => kernel.includes(text)) ? "built-in" : "modules";
  return {
    virtio: placeOf(DISK_PARAMETER, NETWORK_PARAMETER),
    ext4: placeOf(EXT4_MESSAGE),
    takesDevicesFromCommandLine: kernel.includes(DEVICES_PARAMETER),
  };
}

function textAround(file: Buffer, text: string): string {
  const at = file.indexOf(text);
  return at < 0 ? "" : file.toString("latin1", at, at + 200);
}
