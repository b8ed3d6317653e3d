// kv and objectStore as functions see them: a real node, real NATS, a JavaScript function.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { deployRemoteFunction } from "../support/remote-function.ts";
import type { RemoteFunction } from "../support/remote-function.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";

let it: TestNode;
let remote: RemoteFunction;
const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);

before(async () => {
  it = await startTestNode({
    configuration: {
      machine_pool_size: 2,
      host_services: {
        services: {
          kv: { enabled: true, config: { max_bytes: 4096, max_body_bytes: 2000 } },
          objectstore: { enabled: true, config: { max_bytes: 2_000_000, max_body_bytes: 400_000 } },
        },
      },
    },
  });
  remote = await deployRemoteFunction(it, { name: "stores" });
});
after(async () => it[Symbol.asyncDispose]());

test("kv keeps what is set until it is deleted, and lists its keys", async () => {
  assert.deepEqual(await remote.call("kv", "keys"), []);
  await assert.rejects(remote.call("kv", "get", "a"), { message: "key not found (404)" });
  assert.equal(await remote.call("kv", "set", "a", everyByte), undefined);
  assert.deepEqual(await remote.call("kv", "get", "a"), Buffer.from(everyByte));
  await remote.call("kv", "set", "a", "héya");
  assert.deepEqual(await remote.call("kv", "get", "a"), Buffer.from("héya"));
  await remote.call("kv", "set", "cart/7.item=1", "");
  assert.deepEqual(await remote.call("kv", "get", "cart/7.item=1"), Buffer.alloc(0));
  assert.deepEqual(await remote.call("kv", "keys"), ["a", "cart/7.item=1"]);
  assert.equal(await remote.call("kv", "delete", "a"), undefined);
  await assert.rejects(remote.call("kv", "get", "a"), { message: "key not found (404)" });
  await remote.call("kv", "delete", "a");
  await remote.call("kv", "delete", "cart/7.item=1");
  assert.deepEqual(await remote.call("kv", "keys"), []);
});

test("kv creates the bucket of the workload with its size limit, and other clients see it", async () => {
  await remote.call("kv", "set", "seen", "yes");
  const kv = await new Kvm(it.connection).open("hs_default_stores_kv");
  assert.equal((await kv.get("seen"))?.string(), "yes");
  const { config } = await (await jetstreamManager(it.connection)).streams.info("KV_hs_default_stores_kv");
  assert.deepEqual(
    [config.max_bytes, config.max_msgs_per_subject, config.num_replicas, config.storage],
    [4096, 1, 1, "file"],
  );
  await remote.call("kv", "delete", "seen");
});

test("kv refuses keys that no bucket can have, and never leaves its bucket", async () => {
  for (const key of [".", "a..b", ".a", "a.", "a b", "*", ">", "a.>", "é", "x".repeat(1025)])
    await assert.rejects(remote.call("kv", "get", key), /invalid key: .* \(400\)$/, key);
  await assert.rejects(remote.call("kv", "set", "", "x"), { message: "key is required (400)" });
});

test("kv says when a value or the bucket is too large", async () => {
  await assert.rejects(remote.call("kv", "set", "big", new Uint8Array(2001)), {
    message: "the body of 2001 bytes exceeds the limit of 2000 bytes (413)",
  });
  const kv = await new Kvm(it.connection).open("hs_default_stores_kv");
  await kv.put("big", new Uint8Array(2500));
  await assert.rejects(remote.call("kv", "get", "big"), /^Error: the value of 2500 bytes exceeds/);
  await assert.rejects(
    remote.call("kv", "set", "more", new Uint8Array(2000)),
    /^Error: failed to write value for key: maximum bytes exceeded \(500\)$/,
  );
  await remote.call("kv", "delete", "big");
});

test("kv opens its bucket again after it was deleted underneath", async () => {
  await remote.call("kv", "set", "gone", "soon");
  const { streams } = await jetstreamManager(it.connection);
  await streams.delete("KV_hs_default_stores_kv");
  await assert.rejects(remote.call("kv", "get", "gone"), { message: "key not found (404)" });
  for (const [method, values, result] of [
    ["set", ["a", "1"], undefined],
    ["delete", ["a"], undefined],
    ["keys", [], []],
  ] as const) {
    await streams.delete("KV_hs_default_stores_kv");
    assert.deepEqual(await remote.call("kv", method, ...values), result, method);
  }
});

test("objectStore keeps objects of any size and name, and lists them", async () => {
  assert.deepEqual(await remote.call("objectStore", "list"), []);
  await assert.rejects(remote.call("objectStore", "get", "a"), { message: "object not found (404)" });
  await assert.rejects(remote.call("objectStore", "delete", "a"), { message: "object not found (404)" });
  const large = new Uint8Array(300_000).map((_, index) => index % 251);
  const info = (await remote.call("objectStore", "put", "receipt 7/é", large)) as Record<string, unknown>;
  assert.deepEqual(
    [info["name"], info["bucket"], info["size"], info["chunks"]],
    ["receipt 7/é", "hs_default_stores_obj", 300_000, 3],
  );
  assert.match(String(info["mtime"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
  assert.match(String(info["digest"]), /^SHA-256=/);
  assert.deepEqual(await remote.call("objectStore", "get", "receipt 7/é"), Buffer.from(large));
  await remote.call("objectStore", "put", "receipt 7/é", "short");
  assert.deepEqual(await remote.call("objectStore", "get", "receipt 7/é"), Buffer.from("short"));
  await remote.call("objectStore", "put", "empty", "");
  assert.deepEqual(await remote.call("objectStore", "get", "empty"), Buffer.alloc(0));
  const list = (await remote.call("objectStore", "list")) as {
    readonly name: string;
    readonly size: number;
  }[];
  assert.deepEqual(
    list.map(({ name, size }) => [name, size]),
    [
      ["receipt 7/é", 5],
      ["empty", 0],
    ],
  );
  const store = await new Objm(it.connection).open("hs_default_stores_obj");
  assert.deepEqual(Buffer.from((await store.getBlob("receipt 7/é")) ?? []).toString(), "short");
  for (const { name } of list) assert.equal(await remote.call("objectStore", "delete", name), undefined);
  await assert.rejects(remote.call("objectStore", "get", "empty"), { message: "object not found (404)" });
  assert.deepEqual(await remote.call("objectStore", "list"), []);
});

test("objectStore says what is wrong with a name, a size or an object", async () => {
  await assert.rejects(remote.call("objectStore", "get", ""), { message: "name is required (400)" });
  await assert.rejects(remote.call("objectStore", "get", "x".repeat(1025)), /invalid name: .* \(400\)/);
  await assert.rejects(remote.call("objectStore", "put", "x", new Uint8Array(400_001)), /\(413\)$/);
  const store = await new Objm(it.connection).create("hs_default_stores_obj");
  await store.putBlob({ name: "big" }, new Uint8Array(400_001));
  await assert.rejects(
    remote.call("objectStore", "get", "big"),
    /the object of 400001 bytes exceeds .*\(413\)$/,
  );
  await store.putBlob({ name: "broken" }, new Uint8Array(10));
  const { nuid } = (await store.info("broken")) ?? { nuid: "" };
  await (
    await jetstreamManager(it.connection)
  ).streams.purge("OBJ_hs_default_stores_obj", {
    filter: `$O.hs_default_stores_obj.C.${nuid}`,
  });
  await assert.rejects(remote.call("objectStore", "get", "broken"), /failed to get object: .*\(500\)$/);
});

test("objectStore opens its bucket again after it was deleted underneath", async () => {
  const { streams } = await jetstreamManager(it.connection);
  for (const method of ["put", "list"]) {
    await streams.delete("OBJ_hs_default_stores_obj");
    await remote.call("objectStore", method, ...(method === "put" ? ["a", "1"] : []));
  }
  await streams.delete("OBJ_hs_default_stores_obj");
  await assert.rejects(remote.call("objectStore", "get", "a"), { message: "object not found (404)" });
});

test("the bucket libraries' leavings: no consumer stays on the server", async () => {
  await remote.call("kv", "set", "a", "1");
  for (let round = 0; round < 5; round++) {
    await remote.call("kv", "keys");
    await remote.call("objectStore", "list");
  }
  await remote.call("kv", "delete", "a");
  const { consumers } = await jetstreamManager(it.connection);
  for (const stream of ["KV_hs_default_stores_kv", "OBJ_hs_default_stores_obj"])
    assert.deepEqual(await consumers.list(stream).next(), [], stream);
});

test("two workloads keep their values apart", async () => {
  const other = await deployRemoteFunction(it, { name: "other" });
  await remote.call("kv", "set", "mine", "1");
  await assert.rejects(other.call("kv", "get", "mine"), { message: "key not found (404)" });
});
