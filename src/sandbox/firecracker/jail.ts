import { chown, link, mkdir, stat, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { copyImage } from "../machine-files.ts";
import { ownNamespacePrefix } from "../own-namespace.ts";
import type { Residence, ResidenceParts } from "./residence.ts";

/** How Firecracker's jailer is used. It needs root, and a temporary directory on a file system with device files. */
export interface JailerOptions {
  /** Absolute path. */
  readonly program: string;
  /** Whom Firecracker runs as. */
  readonly uid: number;
  readonly gid: number;
}

/** A jail below the machine's directory: `{directory}/{name of Firecracker}/{id}/root` (docs/jailer.md of Firecracker). */
export async function prepareJail(jailer: JailerOptions, parts: ResidenceParts): Promise<Residence> {
  const { program, images, machine } = parts;
  const { spec, network, directory, signal } = machine;
  const root = join(directory, basename(program), spec.id, "root");
  await mkdir(join(root, "run"), { recursive: true, mode: 0o711 });
  const own = (path: string): Promise<void> => chown(path, jailer.uid, jailer.gid);
  const bring = async (source: string, name: string): Promise<string> => {
    const target = join(root, name);
    if (!(await linkReadable(source, target))) {
      await copyImage(source, target, signal);
      await own(target);
    }
    return `/${name}`;
  };
  const drive = join(root, "rootfs.ext4");
  await copyImage(images.rootfs, drive, signal);
  await own(drive);
  // The path in the jail is too long for a socket address, this one is not.
  const socketPath = join(directory, "api.sock");
  await symlink(join(root, SOCKET), socketPath);
  return {
    command: [
      ...(await ownNamespacePrefix()),
      ...jailerCommand({ jailer, program, id: spec.id, directory, network }),
    ],
    socketPath,
    logPath: join(root, LOG),
    inside: {
      logPath: LOG,
      drivePath: "/rootfs.ext4",
      kernelPath: await bring(images.kernel.path, "kernel"),
      initrdPath:
        images.kernel.initrd === undefined ? undefined : await bring(images.kernel.initrd, "initrd"),
    },
    own,
  };
}

const SOCKET = "/run/firecracker.socket";
const LOG = "/firecracker.log";

function jailerCommand(parts: {
  readonly jailer: JailerOptions;
  readonly program: string;
  readonly id: string;
  readonly directory: string;
  readonly network: { readonly namespace: string };
}): readonly string[] {
  const { jailer, program, id, directory, network } = parts;
  const options = {
    "--id": id,
    "--exec-file": program,
    "--uid": String(jailer.uid),
    "--gid": String(jailer.gid),
    "--chroot-base-dir": directory,
    "--netns": `/var/run/netns/${network.namespace}`,
  };
  return [jailer.program, ...Object.entries(options).flat(), "--", "--api-sock", SOCKET];
}

/** A hard link takes no space, but shares owner and mode: only for what everybody may read anyway. */
async function linkReadable(source: string, target: string): Promise<boolean> {
  const { mode } = await stat(source);
  if ((mode & 0o004) === 0) return false;
  try {
    await link(source, target);
    return true;
  } catch {
    // Another file system, or one without hard links.
    return false;
  }
}
