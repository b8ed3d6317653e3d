import { debianSource } from "./debian-source.ts";
import { debianName, installCommand } from "./host-packages.ts";
import type { HostPackage } from "./host-packages.ts";
import type { HostPlan } from "./host-plan.ts";
import type { Requirement } from "./requirement.ts";

const TOOLS = {
  kernel: [["busybox", "busybox"]],
  rootfs: [
    ["busybox", "busybox"],
    ["mke2fs", "e2fsprogs"],
    ["debugfs", "e2fsprogs"],
  ],
} as const;

/** What has to be there to make an image here; nothing when it comes from a mirror. */
export function imageTools(plan: HostPlan, image: "kernel" | "rootfs"): readonly Requirement[] {
  if (plan.downloads[image] !== undefined) return [];
  return TOOLS[image].map(([name, hostPackage]) => imageTool(plan, name, hostPackage));
}

function imageTool({ toolPath }: HostPlan, name: string, hostPackage: HostPackage): Requirement {
  const command = installCommand(hostPackage, toolPath);
  return {
    name,
    description: `${name}, to make images`,
    fileNames: [name],
    directories: toolPath,
    isProgram: true,
    sources: [debianSource(debianName(hostPackage))],
    instruction:
      command === undefined
        ? `Install ${hostPackage} with this system's package manager, or name mirrors under downloads`
        : `Install it: ${command}`,
    missingText: `binary not found: ${name}`,
  };
}
