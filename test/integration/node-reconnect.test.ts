import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { createControlClient } from "../../src/control-api/control-client.ts";
import type { ControlClient } from "../../src/control-api/control-client.ts";
import { parseEvent } from "../../src/control-api/events.ts";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const FUNCTION = { artifact: "(subject) => subject", workloadType: "v8" } as const;
const SERVICE = { artifact: "#!/bin/sh\nwhile :; do echo alive; /bin/sleep 0.2; done\n" } as const;

test("a node resumes when NATS comes back: function, service, listing, discovery; nothing is duplicated", async () => {
  await using it = await startTestNode({ configuration: { machine_pool_size: 2 } });
  const fn = await it.deploy({ name: "fn", ...FUNCTION, triggerSubjects: ["back.fn", "back.ready"] });
  const service = await it.deploy({ name: "service", ...SERVICE });
  await kill(it.nats);
  await until(() => messages(it).includes("Lost the node NATS connection"));
  await it.nats.start();
  const { connection, client } = await reachable(it, it.nats);
  await until(async () => connection.request("back.ready"));
  await assertHandledOnce(connection, "back.fn");
  const { machines } = await client.nodeInfo(it.node.nodeId);
  assert.deepEqual(machines.map(({ id }) => id).toSorted(), [fn.id, service.id].toSorted());
  assert.equal((await connection.request("$SRV.PING.fn")).json<{ id: string }>().id, fn.id);
  const lines = await collectLogs(connection);
  await until(() => lines.some(({ id, text }) => id === service.id && text === "alive"));
  assert.equal(messages(it).filter((text) => text === "Lost the node NATS connection").length, 1);
  assert.equal(messages(it).filter((text) => text === "The node NATS connection is back").length, 1);
  assert.deepEqual(errors(it), []);
});

test("a workload that ends while NATS is away is reported once when it is back", async () => {
  await using it = await startTestNode();
  const manager = await jetstreamManager(it.connection);
  // Catches what is published before anybody of us is connected again.
  await manager.streams.add({ name: "EVENTS", subjects: ["$NEX.events.>"] });
  const { id } = await it.deploy({ name: "brief", artifact: "#!/bin/sh\n/bin/sleep 1\nexit 3\n" });
  await kill(it.nats);
  await until(() =>
    it.logs.some(({ message, fields }) => message === "Machine ended" && fields["workload_id"] === id),
  );
  await it.nats.start();
  const { connection } = await reachable(it, it.nats);
  const { streams } = await jetstreamManager(connection);
  const undeployed = "$NEX.events.default.workload_undeployed";
  const count = async () =>
    (await streams.info("EVENTS", { subjects_filter: undeployed })).state.subjects?.[undeployed];
  await until(async () => (await count()) !== undefined);
  assert.equal(await count(), 1);
  const event = await streams.getMessage("EVENTS", { last_by_subj: undeployed });
  const { data } = parseEvent(event?.data ?? new Uint8Array(0));
  assert.deepEqual([data["vmid"], data["code"]], [id, 3]);
});

test("an empty server on the same port, after several seconds: a deploy names what is missing, then works", async () => {
  await using it = await startTestNode();
  await it.deploy({ name: "fn", ...FUNCTION, triggerSubjects: ["empty.fn", "empty.ready"] });
  const { port } = it.nats;
  await kill(it.nats);
  await until(() => messages(it).includes("Lost the node NATS connection"));
  const gone = performance.now();
  await until(() => performance.now() - gone > 4000, { timeoutMs: 6000 });
  await using nats = await startNats({ port });
  const { connection, client } = await reachable(it, nats);
  await until(async () => connection.request("empty.ready"));
  await assertHandledOnce(connection, "empty.fn");
  const order = {
    nodeId: it.node.nodeId,
    workloadName: "late",
    workloadType: "v8",
    location: "nats://NEXCLIFILES/late",
    triggerSubjects: ["empty.late"],
    issuer: it.issuer,
    publisher: it.publisher,
    timeoutMs: 10_000,
  } as const;
  await assert.rejects(client.deploy(order), /Failed to cache workload bytes: nats: stream not found/);
  const store = await new Objm(connection).create("NEXCLIFILES");
  await store.putBlob({ name: "late" }, new TextEncoder().encode(FUNCTION.artifact));
  const late = await client.deploy(order);
  assert.equal((await connection.request("empty.late")).json(), "empty.late");
  await client.stop({ nodeId: it.node.nodeId, workloadId: late.id, workloadName: "late", issuer: it.issuer });
  assert.equal(messages(it).filter((text) => text === "Lost the node NATS connection").length, 1);
  await it[Symbol.asyncDispose]();
});

test("a server that first refuses the credentials: one error in the log, one connection each once it lets in", async () => {
  await using it = await startTestNode();
  await it.deploy({ name: "fn", ...FUNCTION, triggerSubjects: ["auth.fn", "auth.ready"] });
  const { port } = it.nats;
  await kill(it.nats);
  {
    await using refusing = await startNats({ port, configText: "authorization: { user: u, password: p }" });
    await until(() => errors(it).length > 0);
    const since = performance.now();
    await until(() => performance.now() - since > 4000, { timeoutMs: 6000 });
    assert.ok(refusing.port === port);
  }
  await using nats = await startNats({ port });
  const { connection } = await reachable(it, nats);
  await until(async () => connection.request("auth.ready"));
  await assertHandledOnce(connection, "auth.fn");
  assert.deepEqual(
    errors(it).filter((text) => text.includes("node NATS connection")),
    ["The server of the node NATS connection reports an error"],
  );
  await it[Symbol.asyncDispose]();
});

test("a node whose NATS is gone for good still ends, with all it runs", async () => {
  await using it = await startTestNode();
  const { id } = await it.deploy({ name: "service", ...SERVICE });
  await it.deploy({ name: "fn", ...FUNCTION, triggerSubjects: ["gone.fn"] });
  await kill(it.nats);
  await until(() => messages(it).includes("Lost the node NATS connection"));
  assert.deepEqual(await it.node.stop(), { kind: "stopped" });
  assert.deepEqual(errors(it), [], "in time, nothing had to be killed");
  assert.ok(
    it.logs.some(({ message, fields }) => message === "Machine ended" && fields["workload_id"] === id),
  );
});

function messages(it: TestNode): string[] {
  return it.logs.map(({ message }) => message);
}

function errors(it: TestNode): string[] {
  return it.logs.filter(({ level }) => level === "error").map(({ message }) => message);
}

/** Like a crash: no farewell. */
async function kill(nats: TestNats): Promise<void> {
  process.kill(nats.server.pid, "SIGKILL");
  await nats.server.exit;
  await nats.stop();
}

/** A connection of our own to the server, once the node answers there, too. */
async function reachable(
  it: TestNode,
  nats: TestNats,
): Promise<{ readonly connection: NatsConnection; readonly client: ControlClient }> {
  const connection = await nats.connect();
  const client = createControlClient({ connection, timeoutMs: 1000 });
  await until(async () => client.pingNode(it.node.nodeId), { timeoutMs: 20_000 });
  return { connection, client };
}

async function assertHandledOnce(connection: NatsConnection, subject: string): Promise<void> {
  const events = await collectEvents(connection);
  const count = 20;
  const answers: string[] = [];
  const inbox = `answers.${subject}`;
  connection.subscribe(inbox, {
    callback: (_error, message) => {
      answers.push(message.string());
    },
  });
  for (let n = 0; n < count; n++) connection.publish(subject, "", { reply: inbox });
  const handled = () =>
    events.filter(
      ({ type, data }) => type === "function_exec_succeeded" && data["trigger_subject"] === subject,
    );
  await until(() => handled().length >= count && answers.length >= count);
  // Whatever came twice was on the way before this.
  await connection.request("$NEX.PING");
  assert.deepEqual([handled().length, answers.length], [count, count]);
}
