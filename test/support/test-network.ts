import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import type { NetworkAttachment, VirtualMachineNetwork } from "../../src/sandbox/network/network.ts";
import type { TokenBucket } from "../../src/sandbox/rate-limiters.ts";

const run = promisify(execFile);

/** A network whose machines reach nothing but their own namespace, in which the tests listen. */
export interface TestNetwork extends VirtualMachineNetwork {
  /** Namespaces that are there now. */
  readonly attached: ReadonlySet<string>;
  /** What drivers asked for: the bandwidth of each attachment, in order. */
  readonly bandwidths: readonly (TokenBucket | undefined)[];
}

/** Why this host cannot make namespaces and taps. */
export function cannotMakeNetworks(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "network namespaces need root on Linux";
  const trial = spawnSync("ip", ["netns", "list"]);
  return trial.status === 0 ? false : "there is no ip (iproute2)";
}

/** Each machine gets a namespace `{prefix}{id}` with a tap device that has the gateway's address. */
export function createTestNetwork(prefix: string): TestNetwork {
  const attached = new Set<string>();
  const bandwidths: (TokenBucket | undefined)[] = [];
  const gateway = "192.168.127.1";
  return {
    gateway,
    attached,
    bandwidths,
    serveMetadata: () => {},
    attach: async (id, { bandwidth } = {}): Promise<NetworkAttachment> => {
      const namespace = `${prefix}${id}`;
      bandwidths.push(bandwidth);
      attached.add(namespace);
      await run("ip", ["netns", "add", namespace]);
      for (const command of [
        "tuntap add tap0 mode tap one_queue vnet_hdr",
        `addr add ${gateway}/24 dev tap0`,
        "link set tap0 up",
      ]) {
        await run("ip", ["-n", namespace, ...command.split(" ")]);
      }
      return {
        namespace,
        tapName: "tap0",
        macAddress: "5a:65:8e:fa:7f:25",
        address: "192.168.127.7",
        netmask: "255.255.255.0",
        gateway,
        nameservers: ["1.1.1.1", "9.9.9.9", "8.8.8.8"],
        [Symbol.asyncDispose]: async () => {
          await removeNamespace(namespace);
          attached.delete(namespace);
        },
      };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Removes a namespace with its devices. */
export async function removeNamespace(namespace: string): Promise<void> {
  await run("ip", ["netns", "del", namespace]);
}
