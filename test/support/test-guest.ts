import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { MachineImages } from "../../src/sandbox/virtual-machine.ts";
import { makeCpio } from "./cpio.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../.cache/test-kernel", import.meta.url));
const BUSYBOX = "/bin/busybox";
const PROGRAM = "/usr/bin/qemu-system-x86_64";

/** The kernel that guests of tests run, and where its modules are. */
export interface TestKernel {
  readonly path: string;
  readonly modules: string;
}

/** In the order in which they can be loaded. */
const MODULES = [
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio",
  "drivers/virtio/virtio_pci_legacy_dev",
  "drivers/virtio/virtio_pci_modern_dev",
  "drivers/virtio/virtio_pci",
  "drivers/block/virtio_blk",
  "net/core/failover",
  "drivers/net/net_failover",
  "drivers/net/virtio_net",
];

/** Debian's kernel for clouds, downloaded once; or why there is none. */
export async function findTestKernel(): Promise<TestKernel | string> {
  if (process.arch !== "x64" || !existsSync(PROGRAM)) return `there is no QEMU "${PROGRAM}"`;
  if (!existsSync(BUSYBOX)) return `there is no "${BUSYBOX}" (busybox-static)`;
  if (!existsSync(CACHE)) {
    try {
      await downloadKernel();
    } catch (error) {
      return `cannot get Debian's kernel: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  const release = (await readdir(join(CACHE, "lib/modules")))[0] ?? "";
  return {
    path: join(CACHE, "boot", `vmlinuz-${release}`),
    modules: join(CACHE, "lib/modules", release, "kernel"),
  };
}

async function downloadKernel(): Promise<void> {
  const { stdout } = await run("apt-cache", ["depends", "linux-image-cloud-amd64"]);
  const name = /Depends: (\S+)/.exec(stdout)?.[1] ?? "";
  await mkdir(join(CACHE, ".."), { recursive: true });
  const temporary = await mkdtemp(`${CACHE}-`);
  try {
    await run("apt-get", ["download", name], { cwd: temporary });
    const [file = ""] = await readdir(temporary);
    await run("dpkg-deb", ["-x", join(temporary, file), join(temporary, "out")]);
    await rename(join(temporary, "out"), CACHE);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
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
  const modules = MODULES.map((path) => ({
    name: `${path.split("/").at(-1)}.ko`,
    file: join(kernel.modules, `${path}.ko`),
  }));
  await writeFile(
    initrd,
    makeCpio([
      ...["bin", "dev", "proc", "sys"].map((path) => ({ path, mode: 0o040755 })),
      { path: "bin/busybox", mode: 0o100755, content: await readFile(BUSYBOX) },
      ...(await Promise.all(
        modules.map(async ({ name, file }) => ({
          path: name,
          mode: 0o100644,
          content: await readFile(file),
        })),
      )),
      { path: "init", mode: 0o100755, content: Buffer.from(initScript(script)) },
    ]),
  );
  await using file = await open(rootfs, "w");
  await file.write("root drive");
  await file.truncate(8 * 1024 * 1024);
  return { kernel: { path: kernel.path, initrd }, rootfs };
}

function initScript(script: string): string {
  const names = MODULES.map((path) => path.split("/").at(-1));
  return `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
exec > /dev/console 2>&1
for name in ${names.join(" ")}; do insmod /$name.ko; done
CMDLINE=$(cat /proc/cmdline)
${script}
reboot -f
`;
}
