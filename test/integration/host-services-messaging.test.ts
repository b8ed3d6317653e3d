// messaging as functions see it: a real node, real NATS, a JavaScript function.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { deployRemoteFunction } from "../support/remote-function.ts";
import type { RemoteFunction } from "../support/remote-function.ts";
import { startNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";

let it: TestNode;
let remote: RemoteFunction;
const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);

before(async () => {
  it = await startTestNode({
    configuration: {
      machine_pool_size: 2,
      deny_trigger_subjects: ["secret.>"],
      host_services: {
        namespaces: { default: { publish: ["m.>", "secret.>"] } },
        services: {
          kv: { enabled: false },
          messaging: {
            enabled: true,
            config: { request_timeout_ms: 300, request_many_timeout_ms: 300, max_body_bytes: 2000 },
          },
        },
      },
    },
  });
  remote = await deployRemoteFunction(it, { name: "messages" });
});
after(async () => it[Symbol.asyncDispose]());

test("messaging publishes bytes as they are", async () => {
  const subscription = it.connection.subscribe("m.published", { max: 2 });
  await it.connection.flush();
  assert.equal(await remote.call("messaging", "publish", "m.published", everyByte), undefined);
  await remote.call("messaging", "publish", "m.published", "");
  const received: Buffer[] = [];
  for await (const { data } of subscription) received.push(Buffer.from(data));
  assert.deepEqual(received, [Buffer.from(everyByte), Buffer.alloc(0)]);
});

test("messaging requests, and says when nobody listens or answers", async () => {
  it.connection.subscribe("r.echo", { callback: (_error, message) => void message.respond(message.data) });
  it.connection.subscribe("r.silent", { callback: () => {} });
  it.connection.subscribe("r.large", {
    callback: (_error, message) => void message.respond(new Uint8Array(2001)),
  });
  await it.connection.flush();
  assert.deepEqual(await remote.call("messaging", "request", "r.echo", everyByte), Buffer.from(everyByte));
  await assert.rejects(
    remote.call("messaging", "request", "r.nobody", ""),
    /^Error: failed to send request: .*no responders.* \(500\)$/,
  );
  await assert.rejects(
    remote.call("messaging", "request", "r.silent", ""),
    /^Error: failed to send request: no answer (in time|within 300 ms) \(500\)$/,
  );
  await assert.rejects(
    remote.call("messaging", "request", "r.large", ""),
    /the answer of 2001 bytes exceeds .*\(413\)$/,
  );
});

test("messaging collects all answers of a request, none included", async () => {
  for (const answer of ["one", "two", ""])
    it.connection.subscribe("q.many", { callback: (_error, message) => void message.respond(answer) });
  await it.connection.flush();
  const answers = (await remote.call("messaging", "requestMany", "q.many", "?")) as Buffer[];
  assert.deepEqual(answers.map(String).toSorted(), ["", "one", "two"]);
  assert.deepEqual(await remote.call("messaging", "requestMany", "q.nobody", "?"), []);
  it.connection.subscribe("q.flood", {
    callback: (_error, message) => {
      for (let index = 0; index < 100; index++) message.respond(new Uint8Array(100));
    },
  });
  await it.connection.flush();
  await assert.rejects(
    remote.call("messaging", "requestMany", "q.flood", ""),
    /the list of answers .*\(413\)$/,
  );
});

test("messaging refuses what is no subject, what the node denies and what the namespace may not", async () => {
  await assert.rejects(remote.call("messaging", "publish", "", "x"), {
    message: "subject is required (500)",
  });
  await assert.rejects(remote.call("messaging", "request", "", "x"), {
    message: "subject is required (400)",
  });
  for (const subject of ["m.*", "m.>", "m..x", ".m", "m.", "m x", `m.${"x".repeat(1100)}`])
    await assert.rejects(
      remote.call("messaging", "publish", subject, "x"),
      /invalid subject: .*\(400\)$/,
      subject,
    );
  for (const subject of ["$NEX.PING", "$SYS.REQ.USER.INFO", "$JS.API.INFO", "secret.x"]) {
    for (const method of ["publish", "request", "requestMany"]) {
      await assert.rejects(remote.call("messaging", method, subject, "x"), {
        message: `The subject ${subject} overlaps with subject(s) in this node's deny list (403)`,
      });
    }
  }
  await assert.rejects(remote.call("messaging", "publish", "elsewhere", "x"), {
    message: "Namespace default may not publish to the subject elsewhere (403)",
  });
  await assert.rejects(
    remote.call("messaging", "request", "$KV.hs_other_kv.key", "x"),
    /may not request .*\(403\)$/,
  );
});

test("a service that is switched off is not there", async () => {
  await assert.rejects(remote.call("kv", "keys"), { message: "No such host service: kv (404)" });
});

test("messaging uses the trigger connection, the stores the host services connection, of a deploy", async () => {
  const permissions = (denied: string) => `permissions: { publish: { deny: ["${denied}"] } }`;
  await using nats = await startNats({
    configText: `authorization { users: [
      { user: a, password: a },
      { user: t, password: t, ${permissions("m.denied")} },
      { user: h, password: h, ${permissions("m.>")} },
    ] }`,
  });
  const credentials = (user: string) => ({
    nats_url: nats.url.replace("//", `//${user}:${user}@`),
    nats_user_jwt: "",
    nats_user_seed: "",
  });
  const observer = await nats.connect({ user: "a", pass: "a" });
  const subscription = observer.subscribe("m.>", { max: 1 });
  await observer.flush();
  const { id } = await it.deploy({
    name: "connections",
    workloadType: "v8",
    triggerSubjects: ["own.trigger"],
    triggerConnection: credentials("t"),
    hostServices: credentials("h"),
    artifact: `() => {
      hostServices.objectStore.put("a", "1");
      hostServices.messaging.publish("m.allowed", "x");
      try {
        hostServices.messaging.publish("m.denied", "x");
      } catch (error) {
        return error.message;
      }
    }`,
  });
  const answer = (await observer.request("own.trigger", "", { timeout: 5000 })).string();
  assert.match(answer, /failed to publish message: .*permissions violation.* \(500\)/i);
  for await (const { subject } of subscription) assert.equal(subject, "m.allowed");
  const { streams } = await jetstreamManager(observer);
  assert.equal((await streams.info("OBJ_hs_default_connections_obj")).state.messages > 0, true);
  await it.stop(id, "connections");
});
