/**
 * What a node needs of its host, in the order in which preflight lists it (protocol.md 12.1). Beside what the Go peer
 * needs there are the tools of the network, and QEMU where Firecracker is not asked for.
 */
import { basename, dirname } from "node:path";
import { defaultConflist } from "../sandbox/network/conflist.ts";
import { SYSTEM_PATH } from "../lib/find-program.ts";
import { debianSource } from "./debian-source.ts";
import { downloadSource } from "./download-source.ts";
import type { DownloadName, HostPlan } from "./host-plan.ts";
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

/** Everything that the plan needs. */
export function hostRequirements(plan: HostPlan, makers: ImageMakers): readonly Requirement[] {
  if (plan.sandbox === "process") return [agentRequirement(plan)];
  return [
    plugin(plan, "host-local", "host_local"),
    plugin(plan, "ptp", "ptp"),
    {
      ...plugin(plan, "tc-redirect-tap", "tc_redirect_tap"),
      sources: mirrored(plan, "tc_redirect_tap", []),
      substitute: "built in",
    },
    ...NETWORK_TOOLS.map(([name, debianPackage]) => networkTool(name, debianPackage)),
    monitor(plan),
    conflist(plan),
    kernel(plan, makers),
    rootfs(plan, makers),
  ];
}

const NETWORK_TOOLS = [
  ["ip", "iproute2"],
  ["tc", "iproute2"],
  ["iptables", "iptables"],
] as const;

function plugin(plan: HostPlan, name: string, download: DownloadName): Requirement {
  return {
    name,
    description: `${name} CNI plugin`,
    fileNames: [name],
    directories: [...plan.cniBinPath, "/opt/cni/bin", "/usr/lib/cni"],
    isProgram: true,
    sources: mirrored(plan, download, [debianSource("containernetworking-plugins")]),
    instruction:
      "Install Debian's package containernetworking-plugins, or put the CNI plugins into /opt/cni/bin",
    missingText: `binary not found: ${name}`,
  };
}

function networkTool(name: string, debianPackage: string): Requirement {
  return {
    name,
    description: `${name} network tool`,
    fileNames: [name],
    directories: SYSTEM_PATH.split(":"),
    isProgram: true,
    sources: [debianSource(debianPackage)],
    instruction: `Install Debian's package ${debianPackage}`,
    missingText: `binary not found: ${name}`,
  };
}

/** The virtual machine monitor. */
function monitor(plan: HostPlan): Requirement {
  const qemu = `qemu-system-${process.arch === "arm64" ? "aarch64" : "x86_64"}`;
  const qemuPackage = debianSource(process.arch === "arm64" ? "qemu-system-arm" : "qemu-system-x86");
  const basics = { directories: [...plan.binPath, "/usr/local/bin", "/usr/bin"], isProgram: true };
  switch (plan.sandbox) {
    case "firecracker":
      return {
        ...basics,
        name: "firecracker",
        description: "Firecracker VM binary",
        fileNames: ["firecracker"],
        sources: mirrored(plan, "firecracker", []),
        instruction:
          "Put the firecracker binary into /usr/local/bin, name a mirror under downloads.firecracker, or use QEMU (sandbox: qemu)",
        missingText: "binary not found: firecracker",
      };
    case "qemu":
    case "auto":
    case "process":
      return {
        ...basics,
        name: "qemu",
        description: "QEMU virtual machine monitor",
        fileNames: plan.sandbox === "auto" ? ["firecracker", qemu] : [qemu],
        sources: [qemuPackage, ...(plan.sandbox === "auto" ? mirrored(plan, "firecracker", []) : [])],
        instruction: "Install Debian's package qemu-system-x86 (qemu-system-arm on arm64)",
        missingText: `binary not found: ${plan.sandbox === "auto" ? "firecracker or " : ""}${qemu}`,
      };
  }
}

function conflist({ conflist: { directory, ...options } }: HostPlan): Requirement {
  return {
    name: "conflist",
    description: "CNI Configuration",
    fileNames: [`${options.networkName}.conflist`],
    directories: [directory],
    isProgram: false,
    sources: [jsonSource("the default network", defaultConflist(options))],
    instruction: `Write ${directory}/${options.networkName}.conflist as docs/network.md shows`,
    missingText: "cni config file not found",
  };
}

function kernel(plan: HostPlan, makers: ImageMakers): Requirement {
  const { sandbox, downloads } = plan;
  const hasMirror = downloads.kernel !== undefined;
  const published = hasMirror ? [] : mirrored(plan, "kernel", []);
  const made = hasMirror ? [] : [makers.kernel];
  return {
    name: "kernel",
    description: "VMLinux Kernel",
    fileNames: [basename(plan.kernel)],
    directories: [dirname(plan.kernel)],
    isProgram: false,
    sources: [
      ...(hasMirror ? mirrored(plan, "kernel", []) : []),
      ...(sandbox === "firecracker" ? [...published, ...made] : [...made, ...published]),
    ],
    instruction: "See docs/kernel.md, or name a mirror under downloads.kernel",
    missingText: "vmlinux file not found",
  };
}

function rootfs(plan: HostPlan, makers: ImageMakers): Requirement {
  return {
    name: "rootfs",
    description: "Root Filesystem Template",
    fileNames: [basename(plan.rootfs)],
    directories: [dirname(plan.rootfs)],
    isProgram: false,
    sources: mirrored(plan, "rootfs", [makers.rootfs]),
    instruction: "Make one with `nex rootfs`, or name a mirror under downloads.rootfs",
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
    instruction: "Build it with `npm run build`",
    missingText: "binary not found: the agent",
  };
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
