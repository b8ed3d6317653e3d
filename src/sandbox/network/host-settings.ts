import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { runHostTool } from "./host-tools.ts";

const FORWARDING = "/proc/sys/net/ipv4/ip_forward";

export async function isForwarding(): Promise<boolean> {
  return (await readFile(FORWARDING, "latin1")).trim() !== "0";
}

export async function setForwarding(on: boolean): Promise<void> {
  await writeFile(FORWARDING, on ? "1" : "0");
}

const Addresses = z.array(z.object({ addr_info: z.array(z.object({ local: z.string().optional() })) }));

/** Whether the loopback interface has the address. */
export async function hasAddress(address: string): Promise<boolean> {
  const output = await runHostTool(["ip", "-json", "-4", "address", "show", "dev", "lo"]);
  return Addresses.parse(JSON.parse(output)).some(({ addr_info }) =>
    addr_info.some(({ local }) => local === address),
  );
}

/** On the loopback interface, so that it is there before the first machine is: `ptp` gives it only to machines' links. */
export async function addAddress(address: string): Promise<void> {
  if (!(await hasAddress(address))) await runHostTool(["ip", "address", "add", `${address}/32`, "dev", "lo"]);
}

export async function removeAddress(address: string): Promise<void> {
  if (await hasAddress(address)) await runHostTool(["ip", "address", "del", `${address}/32`, "dev", "lo"]);
}

/** A link-local address of its own would lead past the rules for IPv4. */
export async function disableIpv6(hostInterface: string): Promise<void> {
  await writeFile(`/proc/sys/net/ipv6/conf/${hostInterface}/disable_ipv6`, "1").catch((error: unknown) => {
    // There is no IPv6 on this host.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  });
}
