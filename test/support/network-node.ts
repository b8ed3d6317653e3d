import assert from "node:assert/strict";
import type { NetworkConfiguration } from "../../src/sandbox/network/probe-network.ts";
import type { TokenBucket } from "../../src/sandbox/rate-limiters.ts";
import type { AttachmentData, FixtureProcess, TestHost } from "./test-host.ts";

/** A process that runs the network of virtual machines on a test host. */
export interface NetworkNode extends AsyncDisposable {
  attach(id: string, bandwidth?: TokenBucket): Promise<AttachmentData>;
  detach(id: string): Promise<void>;
  /** Starts to serve metadata and returns the port. */
  serveMetadata(): Promise<number>;
  publish(address: string, vmid: string): Promise<void>;
  /** Disposes the network. */
  end(): Promise<void>;
  /** Starts to attach and kills the process after some time. */
  killWhileAttaching(ids: readonly string[], afterMs: number): Promise<void>;
}

export const NETWORK: NetworkConfiguration = {
  networkName: "fcnet",
  interfaceName: "veth0",
  subnet: "192.168.127.0/24",
  gateway: "192.168.127.1",
  cniBinPath: [],
  nameservers: ["203.0.113.53"],
};

/** Where nodes of a test host keep their records. */
export const STATE_DIRECTORY = "/var/lib/nex/network";

export async function startNetworkNode(
  host: TestHost,
  options: Partial<NetworkConfiguration> = {},
): Promise<NetworkNode> {
  const configuration = { ...NETWORK, confDirectory: host.directory, ...options };
  const fixture = await host.startFixture("network-node", [
    JSON.stringify({ ...configuration, stateDirectory: STATE_DIRECTORY }),
  ]);
  await fixture.nextLine();
  return {
    attach: async (id, bandwidth) =>
      (await ask(
        fixture,
        `attach ${id}${bandwidth === undefined ? "" : ` ${JSON.stringify(bandwidth)}`}`,
      )) as AttachmentData,
    detach: async (id) => {
      await ask(fixture, `detach ${id}`);
    },
    serveMetadata: async () => ((await ask(fixture, "metadata")) as { readonly port: number }).port,
    publish: async (address, vmid) => {
      await ask(fixture, `publish ${address} ${vmid}`);
    },
    end: async () => {
      await ask(fixture, "end");
    },
    killWhileAttaching: async (ids, afterMs) => {
      for (const id of ids) fixture.send(`attach ${id}`);
      await new Promise((resolve) => {
        setTimeout(resolve, afterMs);
      });
      fixture.process.signal("SIGKILL");
      assert.equal((await fixture.process.exit).kind, "signaled");
    },
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
}

async function ask(fixture: FixtureProcess, line: string): Promise<unknown> {
  fixture.send(line);
  const answer = JSON.parse(await fixture.nextLine()) as { readonly error?: string };
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

/** What a namespace gets for its attempts; see the fixture for their form. */
export async function attemptFrom(
  host: TestHost,
  namespace: string,
  attempts: readonly string[],
): Promise<readonly string[]> {
  await using guest = await host.startFixture("network-guest", attempts, { namespace });
  return JSON.parse(await guest.nextLine()) as readonly string[];
}

/** Listens in a namespace, by default the test host's own; see the fixture for the form of the addresses. */
export async function startPeer(
  host: TestHost,
  addresses: readonly string[],
  namespace = "",
): Promise<FixtureProcess> {
  const peer = await host.startFixture("network-peer", addresses, { namespace });
  assert.equal(await peer.nextLine(), "ready");
  return peer;
}
