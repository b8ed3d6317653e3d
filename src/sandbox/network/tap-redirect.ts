import { linkMtu, runHostTool } from "./host-tools.ts";

const TAP_NAME = "tap0";

/**
 * Does what `tc-redirect-tap` does: makes a tap device in the namespace and sends whatever arrives at it or at the
 * interface out of the other one. Returns the name of the device. It goes with the namespace.
 */
export async function redirectToTap(
  { namespace, interfaceName }: { readonly namespace: string; readonly interfaceName: string },
  signal: AbortSignal,
): Promise<string> {
  const mtu = await linkMtu({ namespace, interfaceName }, signal);
  await runHostTool(["ip", "-n", namespace, "-batch", "-"], {
    input: `tuntap add ${TAP_NAME} mode tap one_queue vnet_hdr\nlink set ${TAP_NAME} mtu ${mtu} up\n`,
    signal,
  });
  const redirect = (from: string, to: string): string =>
    `qdisc add dev ${from} ingress\n` +
    `filter add dev ${from} parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ${to}\n`;
  await runHostTool(["tc", "-n", namespace, "-batch", "-"], {
    input: redirect(TAP_NAME, interfaceName) + redirect(interfaceName, TAP_NAME),
    signal,
  });
  return TAP_NAME;
}
