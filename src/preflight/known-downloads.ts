import type { DownloadName, DownloadSetting } from "./host-plan.ts";

/** What the projects themselves publish (protocol.md 12.1); `sumUrl` where the sum is not at `{url}.sha256`. */
export type KnownDownload = DownloadSetting & { readonly sumUrl?: string };

const GITHUB = "https://github.com";
const CNI_VERSION = "1.3.0";
const FIRECRACKER_VERSION = "1.5.0";
const KERNEL_VERSION = "5.10.186";

/** The published file for this machine, if there is one with a published sum. */
export function knownDownload(name: DownloadName): KnownDownload | undefined {
  const { goName, linuxName } = machineNames();
  switch (name) {
    case "host_local":
      return cniPlugin("host-local", goName);
    case "ptp":
      return cniPlugin("ptp", goName);
    case "firecracker": {
      const release = `firecracker-v${FIRECRACKER_VERSION}-${linuxName}`;
      const url = `${GITHUB}/firecracker-microvm/firecracker/releases/download/v${FIRECRACKER_VERSION}/${release}.tgz`;
      return {
        url,
        sumUrl: `${url}.sha256.txt`,
        member: `release-v${FIRECRACKER_VERSION}-${linuxName}/${release}`,
      };
    }
    case "kernel":
      return { url: `https://synadia-nex.s3.us-east-2.amazonaws.com/vmlinux_${goName}-${KERNEL_VERSION}` };
    case "tc_redirect_tap":
    case "initrd":
    case "rootfs":
      return undefined;
  }
}

function cniPlugin(plugin: string, goName: string): KnownDownload {
  const archive = `cni-plugins-linux-${goName}-v${CNI_VERSION}.tgz`;
  const url = `${GITHUB}/containernetworking/plugins/releases/download/v${CNI_VERSION}/${archive}`;
  return { url, member: `./${plugin}` };
}

function machineNames(): { readonly goName: string; readonly linuxName: string } {
  return process.arch === "arm64"
    ? { goName: "arm64", linuxName: "aarch64" }
    : { goName: "amd64", linuxName: "x86_64" };
}
