import { cpioArchive } from "./cpio-archive.ts";
import type { KernelModule } from "./kernel-modules.ts";

/**
 * What a kernel whose virtio drivers are modules runs first: loads them, mounts the disk of its `root=` argument and hands
 * over to the init of that. The same inputs give the same bytes.
 */
export function initramfs(options: {
  /** A statically linked busybox. */
  readonly busybox: Buffer;
  /** In the order of loading. */
  readonly modules: readonly KernelModule[];
}): Buffer {
  const { busybox, modules } = options;
  const directories = ["bin", "dev", "modules", "proc", "root"];
  return cpioArchive([
    ...directories.map((path) => ({ path, mode: 0o040755 })),
    // The kernel opens it for its first process before any file system is mounted.
    { path: "dev/console", mode: 0o020600, device: { major: 5, minor: 1 } },
    { path: "bin/busybox", mode: 0o100755, content: busybox },
    ...modules.map(({ name, content }) => ({ path: `modules/${name}.ko`, mode: 0o100644, content })),
    { path: "init", mode: 0o100755, content: Buffer.from(script(modules.map(({ name }) => name))) },
  ]);
}

/** 10 s for the disk to appear: drivers look for devices in the background. */
function script(modules: readonly string[]): string {
  return `#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t devtmpfs devtmpfs /dev
for module in ${modules.join(" ")}; do
  $bb insmod /modules/$module.ko || echo "nex-initramfs: cannot load $module"
done
root=/dev/vda
init=/sbin/init
access=ro
for argument in $($bb cat /proc/cmdline); do
  case $argument in
    root=*) root=\${argument#root=} ;;
    init=*) init=\${argument#init=} ;;
    ro | rw) access=$argument ;;
  esac
done
tries=0
while [ ! -b $root ] && [ $tries -lt 200 ]; do
  tries=$((tries + 1))
  $bb sleep 0.05
done
if $bb mount -t ext4 -o $access $root /root; then
  $bb umount /proc
  $bb mount -o move /dev /root/dev
  exec $bb switch_root -c /dev/console /root $init
fi
echo "nex-initramfs: cannot mount $root"
$bb sleep 0.2
$bb reboot -f
`;
}
