// What limits the network of a virtual machine whose monitor does not, with real packets through a machine's tap.
import assert from "node:assert/strict";
import { test } from "node:test";
import { takeCensus } from "../support/census.ts";
import { NETWORK, STATE_DIRECTORY, startNetworkNode } from "../support/network-node.ts";
import { noTestHost, startTestHost } from "../support/test-host.ts";
import type { AttachmentData, TestHost } from "../support/test-host.ts";

const skip = await noTestHost();
const KIB = 1024;
const PORT = 7000;
/** 128 KiB per second after the first 64. */
const BUCKET = { size: 64 * KIB, refillTimeMs: 500 };
const BYTES = 640 * KIB;
const LEAST_MS = ((BYTES - BUCKET.size) / (128 * KIB)) * 1000;

interface Qdisc {
  readonly kind: string;
  readonly dev: string;
  readonly options: { readonly rate?: number; readonly burst?: number };
  readonly bytes: number;
}

async function filters(host: TestHost, { namespace }: AttachmentData): Promise<readonly Qdisc[]> {
  const all = JSON.parse(await host.run(`tc -n ${namespace} -s -j qdisc show`)) as readonly Qdisc[];
  return all.filter(({ kind }) => kind === "tbf");
}

/** How long a transfer takes in each direction, at the same time: to the guest and from it. */
async function transfer(host: TestHost, namespace: string): Promise<readonly number[]> {
  return Promise.all(
    ["get", "put"].map(async (verb) => {
      const argv = [verb, NETWORK.gateway, String(PORT), String(BYTES)];
      await using client = await host.startFixture("network-transfer", argv, { namespace });
      return Number(await client.nextLine());
    }),
  );
}

test("a limited machine moves bytes ten times slower, in each direction", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  await using server = await host.startFixture("network-transfer", ["serve", String(PORT)]);
  assert.equal(await server.nextLine(), "ready");
  const free = await node.attach("free");
  assert.deepEqual(await filters(host, free), []);
  await using freeGuest = await host.startGuest(free);
  await transfer(host, freeGuest.namespace);
  const unlimited = await transfer(host, freeGuest.namespace);

  const limited = await node.attach("limited", BUCKET);
  const rates = (await filters(host, limited)).map(({ dev, options }) => [dev, options.rate] as const);
  assert.deepEqual(Object.fromEntries(rates), { tap0: 128 * KIB, veth0: 128 * KIB });
  await using guest = await host.startGuest(limited);
  const taken = await transfer(host, guest.namespace);
  for (const [index, milliseconds] of taken.entries()) {
    const ofFree = unlimited[index] ?? Infinity;
    assert.ok(milliseconds >= 0.95 * LEAST_MS, `${milliseconds} ms, at least ${LEAST_MS} were expected`);
    assert.ok(milliseconds > 10 * ofFree, `${milliseconds} ms, without a limit ${ofFree} ms`);
  }
  for (const { dev, bytes } of await filters(host, limited)) assert.ok(bytes > BYTES, `${dev}: ${bytes}`);
});

test("limits are recorded and go with the machine, also when the node is killed", { skip }, async () => {
  await using host = await startTestHost();
  const before = await takeCensus({ prefix: host.prefix });
  await using node = await startNetworkNode(host);
  const idle = await takeCensus({ prefix: host.prefix });
  await node.attach("m1", BUCKET);
  const record = JSON.parse(await host.run(`cat ${STATE_DIRECTORY}/*/machine-m1.json`)) as object;
  assert.deepEqual({ ...record, bandwidth: BUCKET }, record);
  await node.detach("m1");
  assert.deepEqual(await takeCensus({ prefix: host.prefix }), idle);
  await node.attach("m2", BUCKET);
  await node.killWhileAttaching(["m3"], 50);
  await using next = await startNetworkNode(host);
  await next.end();
  assert.deepEqual(await takeCensus({ prefix: host.prefix }), before);
});

test("the kernel takes what any configured bucket becomes", { skip }, async () => {
  await using host = await startTestHost();
  await using node = await startNetworkNode(host);
  for (const [index, bucket] of [
    { size: 1, refillTimeMs: 60_000 },
    { size: 2 ** 53 - 1, refillTimeMs: 1 },
    { size: 2 ** 40, refillTimeMs: 3_600_000 },
  ].entries()) {
    assert.equal((await filters(host, await node.attach(`m${index}`, bucket))).length, 2);
  }
  assert.deepEqual(await filters(host, await node.attach("none", { size: 0, refillTimeMs: 100 })), []);
});
