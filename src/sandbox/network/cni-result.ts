import { z } from "zod";
import { netmaskText, parseIpv4, parseIpv4Network } from "./ipv4.ts";

/** What a machine needs to know of the result of an ADD. */
export interface MachineAddress {
  /** The host's end of the link, `veth1a2b3c4d`. */
  readonly hostInterface: string;
  readonly macAddress: string;
  readonly address: string;
  readonly netmask: string;
  readonly gateway: string;
  readonly nameservers: readonly string[];
  /** The tap device that `tc-redirect-tap` made. */
  readonly tapName?: string;
}

const CniResult = z.object({
  interfaces: z.array(
    z.object({ name: z.string(), mac: z.string().optional(), sandbox: z.string().optional() }),
  ),
  ips: z.array(
    z.object({ address: z.string(), gateway: z.string().optional(), interface: z.number().optional() }),
  ),
  dns: z.object({ nameservers: z.array(z.string()).nullish() }).nullish(),
});

/**
 * Reads the result of an ADD (versions 0.3.0 to 1.0.0 of the specification).
 *
 * @throws {Error} saying what is missing
 */
export function parseCniResult(
  result: unknown,
  machine: { readonly containerId: string; readonly namespacePath: string; readonly interfaceName: string },
): MachineAddress {
  const parsed = CniResult.safeParse(result);
  if (!parsed.success) throw new Error(`the CNI result has an unexpected form: ${parsed.error.message}`);
  const { interfaces, ips, dns } = parsed.data;
  const index = interfaces.findIndex(
    ({ name, sandbox }) => sandbox === machine.namespacePath && name === machine.interfaceName,
  );
  const inside = interfaces[index];
  const hosts = interfaces.filter(({ sandbox = "" }) => sandbox === "");
  const ip = ips.find((entry) => entry.interface === index && parseIpv4Network(entry.address) !== undefined);
  const network = parseIpv4Network(ip?.address ?? "");
  const [host, other] = hosts;
  if (inside?.mac === undefined || ip?.gateway === undefined || network === undefined) {
    throw new Error(`the CNI result names no IPv4 address and gateway for "${machine.interfaceName}"`);
  }
  if (host === undefined || other !== undefined) {
    throw new Error(`the CNI result names ${hosts.length} interfaces of the host instead of one`);
  }
  // A pseudo interface whose sandbox is the machine itself stands for its end of the tap.
  const tap = interfaces.find(({ sandbox }) => sandbox === machine.containerId);
  return {
    hostInterface: host.name,
    macAddress: tap?.mac ?? inside.mac,
    address: ip.address.replace(/\/.*/, ""),
    netmask: netmaskText(network.prefixLength),
    gateway: ip.gateway,
    nameservers: (dns?.nameservers ?? []).filter(isUsableNameserver),
    ...(tap === undefined ? {} : { tapName: tap.name }),
  };
}

/** Name servers on the host's loopback (systemd-resolved) answer nobody else. */
function isUsableNameserver(address: string): boolean {
  return parseIpv4(address) !== undefined && !address.startsWith("127.");
}
