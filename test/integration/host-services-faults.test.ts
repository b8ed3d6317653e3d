// What host services do when NATS goes away, when calls come by the thousand, and what they leave behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { createInbox } from "@nats-io/nats-core";
import { limitService } from "../../src/host-services/host/call-limits.ts";
import type { LimitedService } from "../../src/host-services/host/call-limits.ts";
import { createHttpService } from "../../src/host-services/host/http/http.ts";
import { createKeyValueService } from "../../src/host-services/host/kv.ts";
import { createMessagingService } from "../../src/host-services/host/messaging.ts";
import { createNatsAccess } from "../../src/host-services/host/nats-access.ts";
import { createObjectStoreService } from "../../src/host-services/host/object-store.ts";
import { deployRemoteFunction } from "../support/remote-function.ts";
import { startHttpPeer } from "../support/start-http-peer.ts";
import { startNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

test("while their NATS is gone services fail within their limits, by name, and work again when it is back", async () => {
  await using stores = await startNats();
  await using it = await startTestNode({
    configuration: {
      host_services: {
        services: {
          kv: { enabled: true, config: { timeout_ms: 300 } },
          objectstore: { enabled: true, config: { timeout_ms: 300 } },
          messaging: { enabled: true, config: { request_timeout_ms: 300 } },
        },
      },
    },
  });
  const credentials = (url: string) => ({ nats_url: url, nats_user_jwt: "", nats_user_seed: "" });
  const remote = await deployRemoteFunction(it, {
    name: "faults",
    triggerConnection: credentials(it.nats.url),
    hostServices: credentials(stores.url),
  });
  await remote.call("kv", "set", "a", "1");
  await remote.call("objectStore", "put", "a", "1");
  await stores.stop();
  const gone = /(not connected to NATS: )?no answer (within 300 ms|in time)|connection disconnected/;
  for (const [service, method, ...values] of [
    ["kv", "get", "a"],
    ["kv", "set", "a", "2"],
    ["kv", "keys"],
    ["objectStore", "get", "a"],
    ["objectStore", "list"],
  ] as const) {
    await assert.rejects(remote.call(service, method, ...values), gone, `${service}.${method}`);
  }
  // Messaging has a connection of its own, which is up.
  await remote.call("messaging", "publish", "x", "y");
  await stores.start();
  await until(async () => (await remote.call("kv", "get", "a")) instanceof Buffer);
  assert.deepEqual(
    await remote.call("kv", "get", "a"),
    Buffer.from("1"),
    "the refused set was not done later",
  );
  assert.deepEqual(await remote.call("objectStore", "get", "a"), Buffer.from("1"));
});

test("the calls of one invocation are limited, and the next invocation has its own", async () => {
  await using it = await startTestNode({
    configuration: {
      host_services: { services: { kv: { enabled: true, config: { max_calls_per_invocation: 5 } } } },
    },
  });
  await it.deploy({
    name: "busy",
    workloadType: "v8",
    triggerSubjects: ["busy"],
    artifact: `() => {
      let calls = 0;
      try {
        for (;;) { hostServices.kv.set("a", "x"); calls += 1; }
      } catch (error) {
        return [calls, error.message];
      }
    }`,
  });
  for (let round = 0; round < 3; round++) {
    const answer = await it.connection.request("busy", "", { timeout: 5000 });
    assert.deepEqual(answer.json(), [5, "more than 5 calls in one invocation (429)"]);
  }
});

test("ten thousand calls of all services leave no connection, timer or consumer behind", async () => {
  await using nats = await startNats();
  await using peer = await startHttpPeer({
    answer: ({ url }, response) => {
      if (url === "/slow") return;
      response.end("ok");
    },
  });
  const connection = await nats.connect();
  connection.subscribe("echo", { callback: (_error, message) => void message.respond(message.data) });
  const access = createNatsAccess(
    async () => connection,
    () => createInbox(),
  );
  // Longer than the test waits for timers at its end: none that was left goes unseen by firing.
  const patience = 60_000;
  const limits = {
    timeoutMs: patience,
    maxBodyBytes: 1000,
    maxConcurrentCalls: 64,
    maxCallsPerInvocation: 0,
  };
  const store = {
    nats: access,
    owner: { namespace: "n", workloadName: "w" },
    bucket: { nameTemplate: "b", maxBytes: 0, createMissing: true },
    timeoutMs: patience,
    maxBodyBytes: 1000,
  };
  const kv = limitService(createKeyValueService(store), limits);
  const objectstore = limitService(createObjectStoreService(store), limits);
  const messaging = limitService(
    createMessagingService({
      nats: access,
      requestTimeoutMs: patience,
      requestManyTimeoutMs: 20,
      maxBodyBytes: 1000,
      refusal: () => undefined,
    }),
    limits,
  );
  const http = limitService(
    createHttpService({ allow: ["127.0.0.1"], maxBodyBytes: 1000, tls: { verify: true } }),
    { ...limits, timeoutMs: (method) => (method === "head" ? 50 : patience) },
  );
  const send = async (service: LimitedService, method: string, headers: Readonly<Record<string, string>>) =>
    service.call({ service: "", method, headers, body: Buffer.from("x") });
  const repeat = async (count: number, call: () => Promise<unknown>) =>
    Promise.all(Array.from({ length: count }, call));
  const key = { "x-keyvalue-key": "a" };
  const object = { "x-object-name": "a" };
  await send(kv, "set", key);
  await send(objectstore, "put", object);
  await send(messaging, "request", { "x-subject": "echo" });
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  await repeat(5000, async () => send(kv, "get", key));
  await repeat(2000, async () => send(kv, "set", key));
  await repeat(1600, async () => send(messaging, "request", { "x-subject": "echo" }));
  await repeat(500, async () => send(messaging, "publish", { "x-subject": "nobody" }));
  await repeat(100, async () => send(messaging, "requestMany", { "x-subject": "echo" }));
  await repeat(200, async () => send(objectstore, "get", object));
  await repeat(50, async () => send(kv, "keys", {}));
  await repeat(50, async () => send(objectstore, "list", {}));
  await repeat(450, async () => send(http, "get", { "x-http-url": peer.origin }));
  await repeat(50, async () => assert.rejects(send(http, "head", { "x-http-url": `${peer.origin}/slow` })));
  await until(() => timers() <= before, { message: `timers are left: ${timers()}, not ${before}` });
  await until(async () => (await peer.connections()) === 0);
  const { consumers } = await jetstreamManager(connection);
  for (const stream of ["KV_b", "OBJ_b"])
    await until(async () => (await consumers.list(stream).next()).length === 0);
});
