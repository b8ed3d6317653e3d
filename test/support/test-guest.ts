import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cpioArchive } from "../../src/sandbox/kernel/cpio-archive.ts";
import type { MachineImages } from "../../src/sandbox/virtual-machine.ts";
import { vmAssets } from "./vm-assets.ts";

/** A kernel with an initramfs that has BusyBox and the drivers. */
export interface TestKernel {
  readonly path: string;
  readonly initrd: string;
}

/** The kernel that guests of tests run, or why there is none. */
export async function findTestKernel(): Promise<TestKernel | string> {
  const assets = await vmAssets();
  if (assets.kind === "missing") return assets.reason;
  return { path: assets.kernel, initrd: assets.initrd };
}

/**
 * Makes images of a guest that loads its drivers, runs a script in BusyBox's shell with the kernel's command line in
 * `$CMDLINE`, and resets its machine. Its root drive has 8 MiB that start with "root drive".
 */
export async function makeTestGuest(
  directory: string,
  kernel: TestKernel,
  script: string,
): Promise<MachineImages> {
  await mkdir(directory, { recursive: true });
  const initrd = join(directory, "initrd");
  const rootfs = join(directory, "rootfs.ext4");
  // The kernel unpacks one archive after the other; files of the later one replace those of the first.
  const own = cpioArchive([
    { path: "sys", mode: 0o040755 },
    { path: "init", mode: 0o100755, content: Buffer.from(initScript(script)) },
  ]);
  await writeFile(initrd, Buffer.concat([await readFile(kernel.initrd), own]));
  await using file = await open(rootfs, "w");
  await file.write("root drive");
  await file.truncate(8 * 1024 * 1024);
  return { kernel: { path: kernel.path, initrd }, rootfs };
}

/** Modules in the order of loading: each pass loads those whose dependencies are there. */
function initScript(script: string): string {
  return `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
for pass in 1 2 3 4 5; do
  for module in /modules/*.ko; do insmod $module 2>/dev/null && rm $module; done
done
exec > /dev/console 2>&1
CMDLINE=$(cat /proc/cmdline)
${script}
reboot -f
`;
}
