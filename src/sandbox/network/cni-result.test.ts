import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCniResult } from "./cni-result.ts";

const MACHINE = {
  containerId: "nex-1-vm",
  namespacePath: "/var/run/netns/nex-1-vm",
  interfaceName: "veth0",
};

/** As ptp 1.1.1 prints it. */
const RESULT = {
  cniVersion: "0.4.0",
  interfaces: [
    { name: "veth31c6e9ae", mac: "2a:3f:33:0a:0b:51" },
    { name: "veth0", mac: "5a:65:8e:fa:7f:25", sandbox: MACHINE.namespacePath },
  ],
  ips: [{ version: "4", interface: 1, address: "192.168.127.7/20", gateway: "192.168.112.1" }],
  routes: [{ dst: "0.0.0.0/0" }],
  dns: { nameservers: ["127.0.0.53", "::1", "10.0.0.2"] },
};

test("parseCniResult reads what a machine needs", () => {
  assert.deepEqual(parseCniResult(RESULT, MACHINE), {
    hostInterface: "veth31c6e9ae",
    macAddress: "5a:65:8e:fa:7f:25",
    address: "192.168.127.7",
    netmask: "255.255.240.0",
    gateway: "192.168.112.1",
    nameservers: ["10.0.0.2"],
  });
});

test("parseCniResult takes the tap of tc-redirect-tap", () => {
  const interfaces = [
    ...RESULT.interfaces,
    { name: "tap7", mac: "66:00:00:00:00:01", sandbox: MACHINE.namespacePath },
    { name: "tap7", mac: "5a:65:8e:fa:7f:25", sandbox: MACHINE.containerId },
  ];
  assert.equal(parseCniResult({ ...RESULT, interfaces }, MACHINE).tapName, "tap7");
});

test("parseCniResult refuses results without an address or with several interfaces of the host", () => {
  const refused = (change: object, message: RegExp): void => {
    assert.throws(() => parseCniResult({ ...RESULT, ...change }, MACHINE), { message });
  };
  refused({ ips: [] }, /names no IPv4 address and gateway for "veth0"/);
  refused({ ips: [{ interface: 1, address: "fd00::2/64", gateway: "fd00::1" }] }, /names no IPv4 address/);
  refused({ interfaces: [{ name: "cni0" }, ...RESULT.interfaces] }, /names no IPv4|names 2 interfaces/);
  refused(
    { interfaces: [...RESULT.interfaces, { name: "cni0" }] },
    /names 2 interfaces of the host instead of one/,
  );
  refused({ interfaces: "none" }, /unexpected form/);
  assert.throws(() => parseCniResult(undefined, MACHINE), /unexpected form/);
});
