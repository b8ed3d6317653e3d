import { copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDebianSuite } from "../../lib/debian-suite.ts";
import { errorText } from "../../lib/errors.ts";
import { makeTemporaryDirectory } from "../../lib/temporary-directory.ts";
import type { GuestKernel } from "../virtual-machine.ts";
import { initramfs } from "./initramfs.ts";
import { kernelInvalid } from "./kernel-invalid.ts";
import { modulesInOrder } from "./kernel-modules.ts";
import { pathExists } from "../../lib/path-exists.ts";

/** Without these a machine has no disk or no network. */
const REQUIRED_MODULES = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net"];
/** A source of random numbers, and the file system where it is no part of the kernel. */
const OPTIONAL_MODULES = ["virtio_rng", "ext4"];
/** The oldest that is kept up to date: smaller, and boots fastest without KVM. */
const SUITE = "bookworm";
const META_PACKAGES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: "linux-image-cloud-amd64",
  arm64: "linux-image-cloud-arm64",
};

const PACKAGE_START = "linux-image-";

/** What {@link fetchDebianKernel} works with. */
export interface DebianKernelOptions {
  /** Kernels are kept in it, as `{package}/vmlinuz` and `{package}/initrd`. Made. */
  readonly cacheDirectory: string;
  /** A statically linked busybox. */
  readonly busybox: string;
  /** Of apt and its kin: PATH, proxies. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whose signatures are good. Default: Debian's. */
  readonly keyring?: string;
  readonly onStep?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Debian's newest kernel for virtual machines, of the suite and its updates, downloaded by apt (which checks signatures) and
 * prepared, or the one in the cache. Where Debian cannot be reached, an older one of the cache does.
 *
 * @throws {NexError} `KERNEL_INVALID`, `PROCESS_START_FAILED` when there is no apt, `TOOL_FAILED`, `ABORTED`
 */
export async function fetchDebianKernel(options: DebianKernelOptions): Promise<GuestKernel> {
  const { cacheDirectory, onStep = () => {}, signal } = options;
  try {
    return await fetchLatestKernel(options);
  } catch (error) {
    const kept = signal?.aborted === true ? undefined : await newestKept(cacheDirectory);
    if (kept === undefined) throw error;
    onStep(`Taking ${kept} from an earlier download (${errorText(error)})`);
    return kernelIn(join(cacheDirectory, kept));
  }
}

async function newestKept(cacheDirectory: string): Promise<string | undefined> {
  return (await keptKernels(cacheDirectory))[0];
}

/** Newest first. */
async function keptKernels(cacheDirectory: string): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const name of await readdir(cacheDirectory).catch(() => [])) {
    if (!name.startsWith(PACKAGE_START)) continue;
    if (await pathExists(join(cacheDirectory, name, "initrd"))) kept.push(name);
  }
  return kept.sort(newestFirst);
}

function newestFirst(one: string, other: string): number {
  return other.localeCompare(one, "en", { numeric: true });
}

/** The one before the newest stays: another process may be copying it. */
async function removeSuperseded(cacheDirectory: string): Promise<void> {
  for (const name of (await keptKernels(cacheDirectory)).slice(2)) {
    await rm(join(cacheDirectory, name), { recursive: true, force: true });
  }
}

async function fetchLatestKernel(options: DebianKernelOptions): Promise<GuestKernel> {
  const { cacheDirectory, busybox, environment, keyring, onStep = () => {}, signal } = options;
  const metaPackage = META_PACKAGES[process.arch];
  if (metaPackage === undefined) throw kernelInvalid("Debian", `it has none for ${process.arch}`);
  await using work = await makeTemporaryDirectory({ parent: cacheDirectory, prefix: ".kernel" });
  onStep("Looking up Debian's kernel for virtual machines");
  const directory = join(work.path, "apt");
  const packages = await openDebianSuite({
    suite: SUITE,
    directory,
    environment,
    ...(keyring === undefined ? {} : { keyring }),
    onNote: onStep,
    signal,
  });
  const name = (await packages.dependencies(metaPackage)).find((entry) => entry.startsWith(PACKAGE_START));
  if (name === undefined) throw kernelInvalid(metaPackage, "it names no kernel");
  const newest = await newestKept(cacheDirectory);
  if (newest !== undefined && newestFirst(newest, name) < 0) {
    onStep(`Taking ${newest} from an earlier download, which is newer than ${name}`);
    return kernelIn(join(cacheDirectory, newest));
  }
  const kept = join(cacheDirectory, name);
  if (newest === name) return kernelIn(kept);
  onStep(`Downloading ${name}`);
  const packageRoot = await packages.unpack(name);
  onStep(`Preparing ${name}`);
  const made = join(work.path, "made");
  await prepareDebianKernel({ packageRoot, outputDirectory: made, busybox, environment });
  // Another process may have put the same there meanwhile.
  await rename(made, kept).catch(async (error: unknown) => {
    if (!(await pathExists(join(kept, "initrd")))) throw error;
  });
  await removeSuperseded(cacheDirectory);
  return kernelIn(kept);
}

/**
 * Makes `vmlinuz` (as it is) and `initrd` of an unpacked `linux-image-…-cloud-…` package, whose virtio drivers are modules.
 *
 * @throws {NexError} `KERNEL_INVALID`
 */
async function prepareDebianKernel(options: {
  readonly packageRoot: string;
  readonly outputDirectory: string;
  readonly busybox: string;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<GuestKernel> {
  const { packageRoot, outputDirectory, busybox, environment } = options;
  const boot = join(packageRoot, "boot");
  const image = (await readdir(boot).catch(() => [])).find((name) => name.startsWith("vmlinuz-"));
  if (image === undefined) throw kernelInvalid(packageRoot, "it is no unpacked kernel package");
  const folder = await modulesFolder(packageRoot, image.slice("vmlinuz-".length));
  const modules = await modulesInOrder({
    folder,
    required: REQUIRED_MODULES,
    optional: OPTIONAL_MODULES,
    environment,
  });
  await mkdir(outputDirectory, { recursive: true });
  const kernel = kernelIn(outputDirectory);
  await writeFile(kernel.initrd, initramfs({ busybox: await readFile(busybox), modules }));
  await copyFile(join(boot, image), kernel.path);
  return kernel;
}

function kernelIn(directory: string): GuestKernel & { readonly initrd: string } {
  return { path: join(directory, "vmlinuz"), initrd: join(directory, "initrd") };
}

/** Newer packages have them below `usr`. */
async function modulesFolder(packageRoot: string, version: string): Promise<string> {
  for (const parent of ["lib/modules", "usr/lib/modules"]) {
    const folder = join(packageRoot, parent, version);
    if (await pathExists(folder)) return folder;
  }
  throw kernelInvalid(packageRoot, `it holds no modules for ${version}`);
}
