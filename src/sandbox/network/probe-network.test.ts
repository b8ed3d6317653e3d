import assert from "node:assert/strict";
import { test } from "node:test";
import { probeVirtualMachineNetwork } from "./probe-network.ts";
import type { NetworkConfiguration } from "./probe-network.ts";

const GOOD: NetworkConfiguration = {
  networkName: "fcnet",
  interfaceName: "veth0",
  subnet: "192.168.127.0/24",
  gateway: "192.168.127.1",
  cniBinPath: [],
  confDirectory: "/nonexistent",
};

async function reasonOf(change: Partial<NetworkConfiguration>): Promise<string> {
  const probe = await probeVirtualMachineNetwork({ ...GOOD, ...change });
  return probe.kind === "ready" ? "" : probe.reason;
}

test("the probe names each mistake of the configuration", async () => {
  assert.match(await reasonOf({ subnet: "192.168.127.0" }), /"192\.168\.127\.0" is no IPv4 network/);
  assert.match(await reasonOf({ gateway: "10.0.0.1" }), /internal node host must be in the CNI subnet/);
  assert.match(await reasonOf({ interfaceName: "-j DROP" }), /"-j DROP" is no name of an interface/);
  assert.match(await reasonOf({ allow: ["10.0.0.0/8", "all"] }), /"all" is no IPv4 network/);
  assert.match(await reasonOf({ networkName: "../x y" }), /"\.\.\/x y" is no name of a network/);
});
