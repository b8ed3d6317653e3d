// What a virtual machine may reach and what it may not, with real packets from a namespace behind a machine's tap.
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { OUTSIDE, noTestHost, startTestHost } from "../support/test-host.ts";
import { attemptFrom, startNetworkNode, startPeer } from "../support/network-node.ts";

const skip = await noTestHost();
const GATEWAY = "192.168.127.1";
const SILENCE = "no answer";

test("VirtualMachineNetwork gives a machine its address and a tap", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  const { namespace, address, macAddress, ...rest } = await node.attach("m1");
  assert.deepEqual(rest, {
    tapName: "tap0",
    netmask: "255.255.255.0",
    gateway: GATEWAY,
    nameservers: ["203.0.113.53"],
  });
  assert.match(address, /^192\.168\.127\.\d+$/);
  assert.match(await host.run(`ip -n ${namespace} link show dev veth0`), new RegExp(macAddress));
  assert.match(await host.run(`ip -n ${namespace} -d link show dev tap0`), /tun type tap.* vnet_hdr on/);
  // The host's end must not have an IPv6 address: the rules are for IPv4.
  assert.equal(await host.run("ip -6 -o address show | grep veth || true"), "");
});

test("VirtualMachineNetwork has the gateway address before the first machine", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  await using peer = await startPeer(host, [`tcp://${GATEWAY}:4222`]);
  assert.equal(peer.process.child.exitCode, null);
  await using guest = await host.startGuest(await node.attach("m1"));
  const [heard = ""] = await attemptFrom(host, guest.namespace, [`${GATEWAY} 4222`]);
  assert.match(heard, /^hello 192\.168\.127\.\d+$/);
});

test(
  "a machine reaches the gateway and, masqueraded, what the host reaches, and no more",
  { skip },
  async () => {
    await using host = await startTestHost();
    await using node = await startNetworkNode(host);
    const attachments = [await node.attach("m1"), await node.attach("m2")];
    const [first, second] = attachments;
    assert.ok(first && second);
    await using guest = await host.startGuest(first);
    await using other = await host.startGuest(second);
    // Two ways to another machine: by the on-link route of the guests, and by one through the gateway.
    await host.run(`ip -n ${guest.namespace} route add ${second.address}/32 via ${GATEWAY}
ip address add 169.254.1.1/32 dev lo`);
    await using _host = await startPeer(host, ["tcp://0.0.0.0:4222", "tcp://127.0.0.1:4333"]);
    await using _outside = await startPeer(host, [`tcp://${OUTSIDE.address}:8080`], OUTSIDE.namespace);
    await using _other = await startPeer(host, ["tcp://0.0.0.0:7777"], other.namespace);

    assert.deepEqual(
      await attemptFrom(host, guest.namespace, [
        `${GATEWAY} 4222`,
        `${OUTSIDE.address} 8080`,
        `${GATEWAY} 4333`,
        `${OUTSIDE.hostAddress} 4222`,
        "169.254.1.1 4222",
        "169.254.169.254 80",
        `${second.address} 7777`,
      ]),
      [
        `hello ${first.address}`,
        `hello ${OUTSIDE.hostAddress}`,
        `connect ECONNREFUSED ${GATEWAY}:4333`,
        SILENCE,
        SILENCE,
        SILENCE,
        SILENCE,
      ],
    );
    // The host itself reaches it, so what the others do not reach is there.
    await using fromHost = await host.startFixture("network-guest", [`${second.address} 7777`]);
    assert.deepEqual(JSON.parse(await fromHost.nextLine()), [`hello ${GATEWAY}`]);
  },
);

test("a machine's packets to the host's loopback network are dropped", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  await using guest = await host.startGuest(await node.attach("m1"));
  await using _host = await startPeer(host, ["tcp://127.0.0.2:4333"]);
  // A host that routes loopback addresses (as some proxies set it up), and a guest that sends to them.
  await host.run(`echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
ip netns exec ${guest.namespace} sh -c "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"
ip -n ${guest.namespace} link set lo down
ip -n ${guest.namespace} route flush table local 127.0.0.0/8
ip -n ${guest.namespace} route add 127.0.0.2/32 via ${GATEWAY}`);
  assert.deepEqual(await attemptFrom(host, guest.namespace, ["127.0.0.2 4333"]), [SILENCE]);
});

test("nobody outside reaches a machine or the gateway address", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  const attachment = await node.attach("m1");
  await using guest = await host.startGuest(attachment);
  await using _guest = await startPeer(host, ["tcp://0.0.0.0:7777"], guest.namespace);
  await using _host = await startPeer(host, ["tcp://0.0.0.0:4222"]);
  await host.run(`ip -n ${OUTSIDE.namespace} route add 192.168.127.0/24 via ${OUTSIDE.hostAddress}`);
  const targets = [`${OUTSIDE.hostAddress} 4222`, `${GATEWAY} 4222`, `${attachment.address} 7777`];
  assert.deepEqual(await attemptFrom(host, OUTSIDE.namespace, targets), [
    `hello ${OUTSIDE.address}`,
    SILENCE,
    SILENCE,
  ]);
});

test("a machine cannot send from an address that is not its own", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  const { address, ...rest } = await node.attach("m1");
  await using guest = await host.startGuest({ address, ...rest });
  await host.run(`ip -n ${guest.namespace} address add 192.168.127.99/24 dev ${guest.namespace}`);
  await using outside = await startPeer(host, [`udp://${OUTSIDE.address}:9000`], OUTSIDE.namespace);
  await using here = await startPeer(host, ["udp://0.0.0.0:9000"]);
  const send = (word: string, source: string): Promise<readonly string[]> =>
    attemptFrom(
      host,
      guest.namespace,
      [OUTSIDE.address, GATEWAY].map((target) => `${target} 9000 ${word} ${source}`),
    );
  for (const [word, source] of [
    ["before", address],
    ["forged", "192.168.127.99"],
    ["after", address],
  ] as const) {
    assert.deepEqual(await send(word, source), ["sent", "sent"]);
  }
  assert.deepEqual(
    [await outside.nextLine(), await outside.nextLine()],
    [`before ${OUTSIDE.hostAddress}`, `after ${OUTSIDE.hostAddress}`],
  );
  assert.deepEqual([await here.nextLine(), await here.nextLine()], [`before ${address}`, `after ${address}`]);
});

test("a machine gets its own metadata at 169.254.169.254", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  await node.serveMetadata();
  const [first, second] = [await node.attach("m1"), await node.attach("m2")];
  await using guest = await host.startGuest(first);
  await using other = await host.startGuest(second);
  await node.publish(first.address, "m1");
  assert.deepEqual(await attemptFrom(host, guest.namespace, ["metadata", "169.254.169.254 81"]), [
    '{"vmid":"m1","node_nats_port":4222}',
    SILENCE,
  ]);
  assert.deepEqual(await attemptFrom(host, other.namespace, ["metadata"]), ["404"]);
  await node.publish(second.address, "m2");
  assert.deepEqual(await attemptFrom(host, other.namespace, ["metadata"]), [
    '{"vmid":"m2","node_nats_port":4222}',
  ]);
});

test("machines get through on a host whose policies are to drop", { skip }, async () => {
  await using host = await startTestHost();
  await host.run("iptables -P FORWARD DROP; iptables -P INPUT DROP");
  await using node = await startNetworkNode(host);
  const attachment = await node.attach("m1");
  await using guest = await host.startGuest(attachment);
  await using _host = await startPeer(host, ["tcp://0.0.0.0:4222"]);
  await using _outside = await startPeer(host, [`tcp://${OUTSIDE.address}:8080`], OUTSIDE.namespace);
  assert.deepEqual(await attemptFrom(host, guest.namespace, [`${GATEWAY} 4222`, `${OUTSIDE.address} 8080`]), [
    `hello ${attachment.address}`,
    `hello ${OUTSIDE.hostAddress}`,
  ]);
});

test("the configuration opens more of the host to machines", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host, { allow: [`${OUTSIDE.hostAddress}/32`] });
  const attachment = await node.attach("m1");
  await using guest = await host.startGuest(attachment);
  await using _host = await startPeer(host, ["tcp://0.0.0.0:4222"]);
  assert.deepEqual(await attemptFrom(host, guest.namespace, [`${OUTSIDE.hostAddress} 4222`]), [
    `hello ${attachment.address}`,
  ]);
});

test("rules that somebody has flushed come back with the next machine", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  const rules = async (): Promise<string> =>
    (await host.run("iptables-save | grep -e '-j NEX-' -e '-g NEX-'")).replaceAll(/veth\w+/g, "");
  await node.attach("m1");
  const before = await rules();
  await host.run("for t in raw nat mangle filter; do iptables -t $t -F; iptables -t $t -X; done");
  await node.detach("m1");
  const attachment = await node.attach("m2");
  assert.equal(
    (await rules()).replaceAll(attachment.address, ""),
    before.replaceAll(/192\.168\.127\.2\b/g, ""),
  );
});

test("an installed tc-redirect-tap makes the tap", { skip }, async () => {
  await using host = await startTestHost();
  const plugin = join(host.directory, "tc-redirect-tap");
  await writeFile(plugin, `#!${process.execPath}\n${TAP_PLUGIN}`);
  await chmod(plugin, 0o755);
  await using node = await startNetworkNode(host, { cniBinPath: [host.directory] });
  const { namespace, tapName } = await node.attach("m1");
  assert.equal(tapName, "tap7");
  await host.run(`ip -n ${namespace} link show dev tap7`);
  await node.detach("m1");
  assert.equal(await host.run(`cat ${host.directory}/DEL`), "ptp veth0\n");
});

/** Stands for the real one at the CNI protocol: makes a tap and names it in the result. */
const TAP_PLUGIN = `
const { readFileSync, writeFileSync } = require("node:fs");
const { execFileSync } = require("node:child_process");
const { CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME } = process.env;
const { prevResult } = JSON.parse(readFileSync(0, "utf8"));
const inside = prevResult.interfaces.find(({ sandbox }) => sandbox === CNI_NETNS);
if (CNI_COMMAND === "ADD") {
  execFileSync("ip", ["-n", CNI_NETNS.split("/").pop(), "tuntap", "add", "tap7", "mode", "tap"]);
  prevResult.interfaces.push({ name: "tap7", sandbox: CNI_NETNS });
  prevResult.interfaces.push({ name: "tap7", sandbox: CNI_CONTAINERID, mac: inside.mac });
  console.log(JSON.stringify(prevResult));
} else {
  writeFileSync(__dirname + "/" + CNI_COMMAND, "ptp " + inside.name + "\\n");
}
`;
