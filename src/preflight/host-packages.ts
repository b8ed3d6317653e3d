import { existsSync } from "node:fs";
import { join } from "node:path";

/** What a node needs of packages of the system. */
export type HostPackage =
  | "CNI plugins"
  | "iproute2"
  | "iptables"
  | "util-linux"
  | "QEMU"
  | "busybox"
  | "e2fsprogs";

/** Programs that install packages, each with its words for that. */
const MANAGERS = {
  "apt-get": "apt-get install --no-install-recommends",
  dnf: "dnf install",
  apk: "apk add",
  pacman: "pacman -S",
  zypper: "zypper install",
} as const;
type Manager = keyof typeof MANAGERS;

const isArm = process.arch === "arm64";

/** The names of the packages; busybox has to be statically linked. */
const NAMES: Readonly<Record<HostPackage, Readonly<Record<Manager, string>>>> = {
  "CNI plugins": {
    "apt-get": "containernetworking-plugins",
    dnf: "containernetworking-plugins",
    apk: "cni-plugins",
    pacman: "cni-plugins",
    zypper: "cni-plugins",
  },
  iproute2: {
    "apt-get": "iproute2",
    dnf: "iproute iproute-tc",
    apk: "iproute2",
    pacman: "iproute2",
    zypper: "iproute2",
  },
  iptables: {
    "apt-get": "iptables",
    dnf: "iptables-nft",
    apk: "iptables",
    pacman: "iptables",
    zypper: "iptables",
  },
  "util-linux": {
    "apt-get": "util-linux",
    dnf: "util-linux-core",
    apk: "flock",
    pacman: "util-linux",
    zypper: "util-linux",
  },
  QEMU: {
    "apt-get": isArm ? "qemu-system-arm" : "qemu-system-x86",
    dnf: isArm ? "qemu-system-aarch64-core" : "qemu-system-x86-core",
    apk: isArm ? "qemu-system-aarch64" : "qemu-system-x86_64",
    pacman: isArm ? "qemu-system-aarch64" : "qemu-system-x86",
    zypper: isArm ? "qemu-arm" : "qemu-x86",
  },
  busybox: {
    "apt-get": "busybox-static",
    dnf: "busybox",
    apk: "busybox-static",
    pacman: "busybox",
    zypper: "busybox-static",
  },
  e2fsprogs: {
    "apt-get": "e2fsprogs",
    dnf: "e2fsprogs",
    apk: "e2fsprogs",
    pacman: "e2fsprogs",
    zypper: "e2fsprogs",
  },
};

/** Debian's name of a package. */
export function debianName(wanted: HostPackage): string {
  return NAMES[wanted]["apt-get"];
}

/** The command that installs a package on this system, whose programs are in `directories`; undefined where we don't know it. */
export function installCommand(wanted: HostPackage, directories: readonly string[]): string | undefined {
  const managers = Object.keys(MANAGERS) as Manager[];
  const manager = managers.find((name) => directories.some((directory) => existsSync(join(directory, name))));
  if (manager === undefined) return undefined;
  const asRoot = process.getuid?.() === 0 ? "" : "sudo ";
  return `${asRoot}${MANAGERS[manager]} ${NAMES[wanted][manager]}`;
}
