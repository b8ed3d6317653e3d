import { join } from "node:path";
import type { MachineParts } from "../machine-monitor.ts";
import { copyImage } from "../machine-files.ts";
import { systemTool } from "../system-tools.ts";
import type { MachineImages } from "../virtual-machine.ts";

/** Where one Firecracker lives: how it is started and where its files are. Removed with the machine's directory. */
export interface Residence {
  readonly command: readonly string[];
  /** As we see it. */
  readonly socketPath: string;
  /** The named pipe for its log, as we see it. */
  readonly logPath: string;
  /** As Firecracker sees them. */
  readonly inside: {
    readonly logPath: string;
    readonly kernelPath: string;
    readonly initrdPath?: string | undefined;
    readonly drivePath: string;
  };
  /** Hands files that were made for it over to whom Firecracker runs as. */
  own(path: string): Promise<void>;
}

export interface ResidenceParts {
  /** Absolute path of Firecracker. */
  readonly program: string;
  readonly images: MachineImages;
  readonly machine: Pick<MachineParts, "spec" | "network" | "directory" | "signal">;
}

/** Without a jail: everything lies in the machine's directory, and it runs as us. */
export async function prepareDirectory({ program, images, machine }: ResidenceParts): Promise<Residence> {
  const { spec, network, directory, signal } = machine;
  const drivePath = join(directory, "rootfs.ext4");
  await copyImage(images.rootfs, drivePath, signal);
  const socketPath = join(directory, "api.sock");
  const logPath = join(directory, "firecracker.log");
  const ip = await systemTool("ip");
  return {
    command: [ip, "netns", "exec", network.namespace, program, "--id", spec.id, "--api-sock", socketPath],
    socketPath,
    logPath,
    inside: { logPath, drivePath, kernelPath: images.kernel.path, initrdPath: images.kernel.initrd },
    own: () => Promise.resolve(),
  };
}
