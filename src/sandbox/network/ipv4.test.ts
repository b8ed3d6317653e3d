import assert from "node:assert/strict";
import { test } from "node:test";
import { firstAddress, netmaskText, networkContains, parseIpv4, parseIpv4Network } from "./ipv4.ts";

test("parseIpv4Network takes networks and nothing else", () => {
  assert.deepEqual(parseIpv4Network("192.168.127.0/24"), { base: 0xc0a87f00, prefixLength: 24 });
  assert.deepEqual(parseIpv4Network("192.168.127.9/24"), { base: 0xc0a87f00, prefixLength: 24 });
  assert.deepEqual(parseIpv4Network("0.0.0.0/0"), { base: 0, prefixLength: 0 });
  for (const text of [
    "",
    "10.0.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0/8",
    "10.0.0.256/8",
    "10.0.0.0/8/8",
    "::/0",
  ]) {
    assert.equal(parseIpv4Network(text), undefined, text);
  }
});

test("networkContains compares the prefix only", () => {
  const network = parseIpv4Network("255.255.128.0/17");
  assert.ok(network);
  assert.equal(networkContains(network, "255.255.255.255"), true);
  assert.equal(networkContains(network, "255.255.127.255"), false);
  assert.equal(networkContains(network, "fe80::1"), false);
  assert.equal(networkContains({ base: 0, prefixLength: 0 }, "203.0.113.1"), true);
});

test("netmasks and first addresses are text", () => {
  assert.equal(netmaskText(24), "255.255.255.0");
  assert.equal(netmaskText(32), "255.255.255.255");
  assert.equal(netmaskText(0), "0.0.0.0");
  assert.equal(firstAddress({ base: 0xc0a87f00, prefixLength: 24 }), "192.168.127.1");
  assert.equal(parseIpv4("01.2.3.4.5"), undefined);
});
