// What the network of virtual machines leaves on a host: nothing, also of what was killed half-way.
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { defaultConflist } from "../../src/sandbox/network/conflist.ts";
import { takeCensus } from "../support/census.ts";
import type { Census } from "../support/census.ts";
import {
  NETWORK,
  STATE_DIRECTORY,
  attemptFrom,
  startNetworkNode,
  startPeer,
} from "../support/network-node.ts";
import { noTestHost, startTestHost } from "../support/test-host.ts";
import type { TestHost } from "../support/test-host.ts";

const skip = await noTestHost();

/** Everything, with what nodes have recorded. */
async function count(host: TestHost): Promise<Census & { readonly records: string }> {
  const census = await takeCensus({ prefix: host.prefix });
  return {
    ...census,
    records: await host.run(`find ${STATE_DIRECTORY} -name '*.json*' 2>/dev/null || true`),
  };
}

test("VirtualMachineNetwork leaves nothing of machines and, at its end, of itself", { skip }, async () => {
  await using host = await startTestHost();
  const before = await count(host);
  await using node = await startNetworkNode(host);
  const idle = await count(host);
  assert.notDeepEqual(idle, before);
  await node.attach("m1");
  await node.attach("m2");
  await node.detach("m1");
  await node.detach("m2");
  assert.deepEqual(await count(host), idle);
  await node.attach("m3");
  await node.end();
  assert.deepEqual(await count(host), before);
});

test("a failed attach leaves nothing", { skip }, async () => {
  await using host = await startTestHost();
  const { plugins, ...list } = defaultConflist(NETWORK);
  const breaking = { ...list, plugins: plugins.toSpliced(1, 0, { type: "breaks" }) };
  await writeFile(join(host.directory, "fcnet.conflist"), JSON.stringify(breaking));
  await writeBreakingPlugin(host);
  await using node = await startNetworkNode(host, { cniBinPath: [host.directory] });
  const idle = await count(host);
  await assert.rejects(node.attach("m1"), {
    message: 'Cannot start sandbox "m1": no network: CNI plugin "breaks" failed at ADD: it broke: on purpose',
  });
  assert.deepEqual(await count(host), idle);
});

test(
  "a list for another network than the configured one is refused, with nothing left",
  { skip },
  async () => {
    await using host = await startTestHost();
    const list = defaultConflist({ ...NETWORK, subnet: "10.77.0.0/24", gateway: "10.77.0.1" });
    await writeFile(join(host.directory, "fcnet.conflist"), JSON.stringify(list));
    await using node = await startNetworkNode(host);
    const idle = await count(host);
    await assert.rejects(node.attach("m1"), {
      message:
        /"fcnet\.conflist" gives address 10\.77\.0\.\d+ and gateway 10\.77\.0\.1, the configuration says/,
    });
    assert.deepEqual(await count(host), idle);
  },
);

test("a machine whose id is in use is refused and the other one stays", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  await node.attach("m1");
  const busy = await count(host);
  await assert.rejects(node.attach("m1"), { message: /a machine of this id is attached/ });
  await assert.rejects(node.attach("../m1"), { message: /its id is not made of letters and digits/ });
  assert.deepEqual(await count(host), busy);
});

test("the next start removes what a killed node left, wherever it was killed", { skip }, async () => {
  await using host = await startTestHost();
  const before = await count(host);
  for (const afterMs of [0, 25, 50, 75, 150]) {
    await using node = await startNetworkNode(host);
    await node.killWhileAttaching(["m1", "m2"], afterMs);
    assert.notDeepEqual(await count(host), before);
    await using next = await startNetworkNode(host);
    await next.end();
    assert.deepEqual(await count(host), before, `killed after ${afterMs} ms`);
  }
});

test("what belongs to others stays as it is", { skip }, async () => {
  await using host = await startTestHost();
  await host.run(`echo 1 > /proc/sys/net/ipv4/ip_forward
ip link add veth12345678 type veth peer name veth87654321
ip netns add nex-foreign
ip address add 192.168.127.1/32 dev lo
iptables -t nat -N CNI-0123456789abcdef01234567
iptables -t nat -A POSTROUTING -s 192.168.127.200/32 -m comment --comment 'name: "fcnet" id: "nex-foreign"' -j CNI-0123456789abcdef01234567
iptables -N NEX-foreign; iptables -A FORWARD -j NEX-foreign
mkdir -p /var/lib/cni/networks/fcnet /var/lib/cni/foreign
echo nex-foreign > /var/lib/cni/networks/fcnet/192.168.127.200; echo {} > /var/lib/cni/foreign/result`);
  const before = await count(host);
  await using killed = await startNetworkNode(host);
  await killed.attach("m1");
  await killed.killWhileAttaching(["m2"], 40);
  await using node = await startNetworkNode(host);
  await node.attach("m1");
  await node.end();
  assert.deepEqual(await count(host), before);
});

test("forwarding stays on when somebody else has come to need it", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  await host.run("iptables -t nat -A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE");
  await node.end();
  assert.equal(await host.run("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
});

test("two nodes on one host do not disturb each other, alive or killed", { skip }, async () => {
  await using host = await startTestHost();
  const before = await count(host);
  await using stays = await startNetworkNode(host);
  const attachment = await stays.attach("m1");
  await using guest = await host.startGuest(attachment);
  await using _peer = await startPeer(host, ["tcp://192.168.127.1:4222"]);
  const works = async (): Promise<void> => {
    assert.deepEqual(await attemptFrom(host, guest.namespace, ["192.168.127.1 4222"]), [
      `hello ${attachment.address}`,
    ]);
  };

  await using ends = await startNetworkNode(host);
  const other = await ends.attach("m1");
  assert.notEqual(other.address, attachment.address);
  await using otherGuest = await host.startGuest(other);
  await host.run(`ip -n ${guest.namespace} route add ${other.address}/32 via 192.168.127.1`);
  await using _other = await startPeer(host, ["tcp://0.0.0.0:7777"], otherGuest.namespace);
  assert.deepEqual(await attemptFrom(host, guest.namespace, [`${other.address} 7777`]), ["no answer"]);
  await works();
  await otherGuest[Symbol.asyncDispose]();
  await ends.end();
  await works();

  await using killed = await startNetworkNode(host);
  await killed.killWhileAttaching(["m2"], 100);
  await using cleans = await startNetworkNode(host);
  await cleans.end();
  await works();

  await guest[Symbol.asyncDispose]();
  await _peer[Symbol.asyncDispose]();
  await stays.end();
  assert.deepEqual(await count(host), before);
});

async function writeBreakingPlugin(host: TestHost): Promise<void> {
  const file = join(host.directory, "breaks");
  await writeFile(
    file,
    `#!/bin/sh
[ "$CNI_COMMAND" = DEL ] && exit 0
echo '{"cniVersion":"0.4.0","code":100,"msg":"it broke","details":"on purpose"}'
exit 1
`,
  );
  await chmod(file, 0o755);
}
