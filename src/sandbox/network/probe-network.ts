import { access, constants, readFile } from "node:fs/promises";
import { errorText } from "../../lib/errors.ts";
import { findProgram, SYSTEM_PATH } from "../../lib/find-program.ts";
import type { SandboxProbe } from "../sandbox.ts";
import { findPlugin } from "./cni.ts";
import { NETWORK_NAME, TAP_PLUGIN, loadConflist } from "./conflist.ts";
import type { Conflist } from "./conflist.ts";
import { networkContains, parseIpv4Network } from "./ipv4.ts";

/** Where the network of virtual machines is described. */
export interface NetworkConfiguration {
  /** `cni.network_name`: the list is `{confDirectory}/{networkName}.conflist`, else the default one. */
  readonly networkName: string;
  /** `cni.interface_name` */
  readonly interfaceName: string;
  /** `cni.subnet` */
  readonly subnet: string;
  /** `internal_node_host` */
  readonly gateway: string;
  /** Directories of CNI plugins, looked at before `/opt/cni/bin` and `/usr/lib/cni`. */
  readonly cniBinPath: readonly string[];
  /** Default `/etc/cni/conf.d`. */
  readonly confDirectory?: string;
  /** `cni.nameservers`; default those of the CNI result. */
  readonly nameservers?: readonly string[];
  /** IPv4 networks that machines may reach although V4 forbids it; the other machines stay unreachable. */
  readonly allow?: readonly string[];
}

/** Whether this host can run the network of virtual machines. */
export async function probeVirtualMachineNetwork(configuration: NetworkConfiguration): Promise<SandboxProbe> {
  const mistakes = configurationProblems(configuration);
  if (mistakes.length > 0) return { kind: "unavailable", reason: mistakes.join("; ") };
  try {
    const list = await loadNetworkList(configuration);
    const problems = [
      ...(await privilegeProblems()),
      ...(await toolProblems()),
      ...(await pluginProblems(list, configuration.cniBinPath)),
    ];
    if (problems.length > 0) return { kind: "unavailable", reason: problems.join("; ") };
    const plugins = list.plugins.map(({ type }) => type).join(", ");
    return {
      kind: "ready",
      detail: `machines have addresses of ${configuration.subnet}, made by CNI (${plugins})`,
    };
  } catch (error) {
    return { kind: "unavailable", reason: errorText(error) };
  }
}

/**
 * The CNI list of a configuration.
 *
 * @throws {Error} naming the file and what is wrong with it
 */
export function loadNetworkList({
  confDirectory = "/etc/cni/conf.d",
  ...options
}: NetworkConfiguration): Promise<Conflist> {
  return loadConflist({ ...options, confDirectory });
}

function configurationProblems({
  networkName,
  interfaceName,
  subnet,
  gateway,
  allow = [],
}: NetworkConfiguration): string[] {
  const network = parseIpv4Network(subnet);
  if (network === undefined) return [`"${subnet}" is no IPv4 network like "192.168.127.0/24"`];
  return [
    ...(networkContains(network, gateway)
      ? []
      : [
          `internal node host must be in the CNI subnet: internal_node_host is ${gateway}, cni.subnet ${subnet}`,
        ]),
    ...(NETWORK_NAME.test(networkName) ? [] : [`"${networkName}" is no name of a network`]),
    // The kernel's limit (IFNAMSIZ); some of the names would be options of `ip`.
    ...(/^[A-Za-z][\w.]{0,14}$/.test(interfaceName) ? [] : [`"${interfaceName}" is no name of an interface`]),
    ...allow
      .filter((text) => parseIpv4Network(text) === undefined)
      .map((text) => `"${text}" is no IPv4 network like "10.1.0.0/16"`),
  ];
}

/** Bits of linux/capability.h. */
const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n };

async function privilegeProblems(): Promise<string[]> {
  const status = await readFile("/proc/self/status", "latin1").catch(() => "");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const missing = Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> bit) & 1n) === 0n)
    .map(([name]) => name);
  if (missing.length > 0) return [`the node must run as root (it lacks ${missing.join(" and ")})`];
  const hasTun = await access("/dev/net/tun", constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return hasTun ? [] : ["there is no /dev/net/tun: load the kernel module tun (modprobe tun)"];
}

const TOOL_PACKAGES = {
  ip: "iproute2",
  tc: "iproute2",
  iptables: "iptables",
  "iptables-save": "iptables",
  "iptables-restore": "iptables",
  flock: "util-linux",
};

async function toolProblems(): Promise<string[]> {
  const missing = [];
  for (const [name, debianPackage] of Object.entries(TOOL_PACKAGES)) {
    if ((await findProgram(name, { path: SYSTEM_PATH })) === undefined) {
      missing.push(`"${name}" is missing: install the Debian package ${debianPackage}`);
    }
  }
  return missing;
}

async function pluginProblems({ plugins }: Conflist, binPath: readonly string[]): Promise<string[]> {
  const types = plugins.flatMap(({ type, ipam }) => {
    const ipamType: unknown =
      typeof ipam === "object" && ipam !== null && "type" in ipam ? ipam.type : undefined;
    return typeof ipamType === "string" ? [type, ipamType] : [type];
  });
  const missing = [];
  for (const type of types.filter((name) => name !== TAP_PLUGIN)) {
    if ((await findPlugin(type, binPath)) === undefined) missing.push(type);
  }
  return missing.map(
    (type) =>
      `the CNI plugin "${type}" is missing: install the Debian package containernetworking-plugins or set cni.bin_path`,
  );
}
