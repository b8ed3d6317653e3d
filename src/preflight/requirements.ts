/**
 * What a node needs of its host, in the order in which preflight lists it (protocol.md 12.1). Beside what the Go peer
 * needs there are the tools of the network, and QEMU where Firecracker is not asked for.
 */
import { basename, dirname } from "node:path";
import { PLUGIN_DIRECTORIES } from "../sandbox/network/cni.ts";
import { defaultConflist } from "../sandbox/network/conflist.ts";
import { SYSTEM_PATH } from "../lib/find-program.ts";
import { QEMU_PROGRAM } from "../sandbox/qemu/qemu-arguments.ts";
import { debianSource } from "./debian-source.ts";
import { downloadSource } from "./download-source.ts";
import { debianName, installCommand } from "./host-packages.ts";
import type { HostPackage } from "./host-packages.ts";
import type { DownloadName, HostPlan } from "./host-plan.ts";
import { imageTools } from "./image-tools.ts";
import { knownDownload } from "./known-downloads.ts";
import { jsonSource } from "./made-source.ts";
import type { Requirement, Source } from "./requirement.ts";

/** How files are made here, where nothing has to be downloaded. */
export interface ImageMakers {
  /** Debian's kernel and its initrd, at `kernel` and `initrd` of the plan. */
  readonly kernel: Source;
  /** A root file system with the agent in it. */
  readonly rootfs: Source;
}

/** Everything that the plan needs. Without makers, images can only be downloaded. */
export function hostRequirements(plan: HostPlan, makers?: ImageMakers): readonly Requirement[] {
  if (plan.sandbox === "process") return [agentRequirement(plan)];
  return [
    plugin(plan, "host-local", "host_local"),
    plugin(plan, "ptp", "ptp"),
    tapPlugin(plan),
    ...NETWORK_TOOLS.map(([name, hostPackage]) => networkTool(plan, name, hostPackage)),
    monitor(plan),
    conflist(plan),
    kernel(plan, makers),
    ...(plan.isInitrdConfigured || plan.downloads.initrd !== undefined ? [initrd(plan)] : []),
    rootfs(plan, makers),
  ];
}

const NETWORK_TOOLS = [
  ["ip", "iproute2"],
  ["tc", "iproute2"],
  ["iptables", "iptables"],
  ["flock", "util-linux"],
] as const;

function plugin(plan: HostPlan, name: string, download: DownloadName): Requirement {
  return {
    name,
    description: `${name} CNI plugin`,
    fileNames: [name],
    directories: pluginDirectories(plan),
    isProgram: true,
    sources: mirrored(plan, download, [debianSource(debianName("CNI plugins"))]),
    instruction: byHand(plan, "CNI plugins", name, pluginDirectories(plan)),
    missingText: `binary not found: ${name}`,
  };
}

function tapPlugin(plan: HostPlan): Requirement {
  const [directory] = pluginDirectories(plan);
  return {
    ...plugin(plan, "tc-redirect-tap", "tc_redirect_tap"),
    sources: mirrored(plan, "tc_redirect_tap", []),
    ...(plan.downloads.tc_redirect_tap === undefined ? { substitute: "built in" } : {}),
    instruction: `Put tc-redirect-tap into ${directory}, or leave it out: what it does is built in`,
  };
}

function networkTool(plan: HostPlan, name: string, hostPackage: HostPackage): Requirement {
  const directories = SYSTEM_PATH.split(":");
  return {
    name,
    description: `${name} network tool`,
    fileNames: [name],
    directories,
    isProgram: true,
    sources: [debianSource(debianName(hostPackage))],
    instruction: byHand(plan, hostPackage, name, directories),
    missingText: `binary not found: ${name}`,
  };
}

/** The virtual machine monitor. */
function monitor(plan: HostPlan): Requirement {
  const directories = plan.binPath;
  const [directory] = directories;
  if (plan.sandbox === "firecracker") {
    return {
      name: "firecracker",
      description: "Firecracker VM binary",
      fileNames: ["firecracker"],
      directories,
      isProgram: true,
      sources: mirrored(plan, "firecracker", []),
      instruction: `Put the firecracker binary into ${directory}, name a mirror under downloads.firecracker, or use QEMU (sandbox: qemu)`,
      missingText: "binary not found: firecracker",
    };
  }
  const isEither = plan.sandbox === "auto";
  return {
    name: "qemu",
    description: isEither ? "Firecracker or QEMU virtual machine monitor" : "QEMU virtual machine monitor",
    fileNames: isEither ? ["firecracker", QEMU_PROGRAM] : [QEMU_PROGRAM],
    directories,
    isProgram: true,
    sources: [debianSource(debianName("QEMU")), ...(isEither ? mirrored(plan, "firecracker", []) : [])],
    instruction: byHand(plan, "QEMU", QEMU_PROGRAM, directories),
    missingText: `binary not found: ${isEither ? "firecracker or " : ""}${QEMU_PROGRAM}`,
  };
}

function conflist({ conflist: { directory, ...options } }: HostPlan): Requirement {
  return {
    name: "conflist",
    description: "CNI Configuration",
    fileNames: [`${options.networkName}.conflist`],
    directories: [directory],
    isProgram: false,
    sources: [jsonSource("the default network", defaultConflist(options))],
    instruction: `Write ${directory}/${options.networkName}.conflist as docs/network.md shows, as a user who may`,
    missingText: "cni config file not found",
  };
}

function kernel(plan: HostPlan, makers: ImageMakers | undefined): Requirement {
  const { kernel: mirror } = plan.downloads;
  const published = mirror === undefined ? mirrored(plan, "kernel", []) : [downloadSource(mirror)];
  // The initrd of a kernel made here does not fit the one that a mirror would have.
  const made = mirror === undefined && makers !== undefined ? [makers.kernel] : [];
  return {
    name: "kernel",
    description: "VMLinux Kernel",
    fileNames: [basename(plan.kernel)],
    directories: [dirname(plan.kernel)],
    isProgram: false,
    tools: imageTools(plan, "kernel"),
    // Firecracker's needs no initrd and boots faster.
    sources: plan.sandbox === "firecracker" ? [...published, ...made] : [...made, ...published],
    instruction: `Put a kernel at ${plan.kernel} (docs/kernel.md), or name a mirror under downloads.kernel`,
    missingText: "vmlinux file not found",
  };
}

function initrd(plan: HostPlan): Requirement {
  return {
    name: "initrd",
    description: "Initial RAM Disk of the Kernel",
    fileNames: [basename(plan.initrd)],
    directories: [dirname(plan.initrd)],
    isProgram: false,
    sources: mirrored(plan, "initrd", []),
    instruction: `Put the initrd of the kernel at ${plan.initrd}, name a mirror under downloads.initrd, or leave initrd_filepath out`,
    missingText: "initrd file not found",
  };
}

function rootfs(plan: HostPlan, makers: ImageMakers | undefined): Requirement {
  return {
    name: "rootfs",
    description: "Root Filesystem Template",
    fileNames: [basename(plan.rootfs)],
    directories: [dirname(plan.rootfs)],
    isProgram: false,
    tools: imageTools(plan, "rootfs"),
    sources: mirrored(plan, "rootfs", makers === undefined ? [] : [makers.rootfs]),
    instruction: `Make one: nex rootfs -o ${plan.rootfs}; or name a mirror under downloads.rootfs`,
    missingText: "rootfs file not found",
  };
}

function agentRequirement({ agent }: HostPlan): Requirement {
  return {
    name: "agent",
    description: "Nex-agent binary",
    fileNames: [basename(agent)],
    directories: [dirname(agent)],
    isProgram: false,
    sources: [],
    instruction: "Install Nex again, or build it with `npm run build`",
    missingText: "binary not found: nex-agent",
  };
}

function pluginDirectories({ cniBinPath }: HostPlan): readonly string[] {
  return [...new Set([...cniBinPath, ...PLUGIN_DIRECTORIES])];
}

/** How to get a program by hand. */
function byHand(
  { toolPath }: HostPlan,
  hostPackage: HostPackage,
  program: string,
  [directory = ""]: readonly string[],
): string {
  const command = installCommand(hostPackage, toolPath);
  return command === undefined
    ? `Install ${hostPackage} with this system's package manager, or put ${program} into ${directory}`
    : `Install it: ${command}`;
}

/** A configured mirror goes first, what the project itself publishes last. */
function mirrored(plan: HostPlan, name: DownloadName, others: readonly Source[]): readonly Source[] {
  const mirror = plan.downloads[name];
  const published = knownDownload(name);
  return [
    ...(mirror === undefined ? [] : [downloadSource(mirror)]),
    ...others,
    ...(published === undefined ? [] : [downloadSource(published)]),
  ];
}
