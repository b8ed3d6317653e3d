import assert from "node:assert/strict";
import { test } from "node:test";
import { createAddressGuard, isAllowEntry } from "./address-guard.ts";

test("AddressGuard refuses everything that is not the public internet, in every notation", () => {
  const guard = createAddressGuard([]);
  const refused: Readonly<Record<string, readonly string[]>> = {
    loopback: ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1"],
    private: [
      "10.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "fd00:ec2::254",
      "fc00::1",
      "fec0::1",
    ],
    "metadata service": ["169.254.169.254", "168.63.129.16", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0"],
    "shared (carrier-grade NAT)": ["100.64.0.1", "100.127.255.255", "100.100.100.200"],
    multicast: ["224.0.0.1", "239.255.255.255", "ff02::1"],
    unspecified: ["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"],
    reserved: [
      "240.0.0.1",
      "255.255.255.255",
      "192.0.0.192",
      "198.18.0.1",
      "2002:7f00:1::",
      "2001::1",
      "64:ff9b:1::1",
      "100::1",
      "4000::1",
    ],
    documentation: ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"],
    unknown: ["", "localhost", "1.2.3", "0x7f.1"],
  };
  for (const [kind, addresses] of Object.entries(refused)) {
    for (const address of addresses) assert.equal(guard.refusal(address, "name.example"), kind, address);
  }
  // The compatible form of an IPv4 address is judged as that address.
  assert.equal(guard.refusal("::10.0.0.1", "name.example"), "private");
});

test("AddressGuard lets the public internet through", () => {
  const guard = createAddressGuard([]);
  const fine = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
  ];
  for (const address of fine) assert.equal(guard.refusal(address, address), undefined, address);
});

test("AddressGuard lets through what is allowed by address, range or name, and nothing beside it", () => {
  const guard = createAddressGuard([
    "10.1.0.0/16",
    "127.0.0.1",
    "fd00:1::/32",
    "API.internal.",
    "*.svc.example",
  ]);
  const fine: readonly (readonly [address: string, host: string])[] = [
    ["10.1.2.3", "x"],
    ["::ffff:10.1.2.3", "x"],
    ["127.0.0.1", "127.0.0.1"],
    ["fd00:1::9", "x"],
    ["192.168.0.1", "api.INTERNAL"],
    ["192.168.0.1", "api.internal."],
    ["192.168.0.1", "a.b.svc.example"],
  ];
  for (const [address, host] of fine)
    assert.equal(guard.refusal(address, host), undefined, `${address} ${host}`);
  const refused: readonly (readonly [address: string, host: string])[] = [
    ["10.2.0.1", "x"],
    ["127.0.0.2", "x"],
    ["fd00:2::1", "x"],
    ["192.168.0.1", "api.internal.evil"],
    ["192.168.0.1", "xapi.internal"],
    ["192.168.0.1", "svc.example"],
    ["192.168.0.1", "evilsvc.example"],
  ];
  for (const [address, host] of refused)
    assert.notEqual(guard.refusal(address, host), undefined, `${address} ${host}`);
});

test("isAllowEntry takes addresses, ranges and host names only", () => {
  for (const entry of [
    "10.0.0.0/8",
    "::1",
    "fd00::/8",
    "1.2.3.4",
    "api.internal",
    "*.corp.example",
    "localhost",
  ])
    assert.equal(isAllowEntry(entry), true, entry);
  for (const entry of [
    "",
    "10.0.0.0/33",
    "10.0.0/8",
    "10.0.0.0/",
    "http://x",
    "a b",
    "*",
    "fe80::1%eth0",
    "300.1.1.1",
    "a..b",
  ])
    assert.equal(isAllowEntry(entry), false, entry);
});
