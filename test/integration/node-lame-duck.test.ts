// Lame duck mode (protocol section 14.3), our extension of it, and heartbeats.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { collectEvents } from "../support/collect-events.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const SLEEP = "#!/bin/sh\nexec /bin/sleep 1000\n";
let nats: TestNats;

before(async () => {
  nats = await startNats();
});
after(async () => nats?.[Symbol.asyncDispose]());

test("the first command is announced once, with its time; workloads go on and heartbeats tell", async () => {
  await using it = await startTestNode({ nats, heartbeatMs: 30 });
  const { nodeId } = it.node;
  const { id } = await it.deploy({ name: "stays", artifact: SLEEP });
  const events = await collectEvents(it.connection);
  const beats = (): typeof events =>
    events.filter(({ type, source }) => type === "heartbeat" && source === nodeId);
  await until(() => beats().length >= 2);
  assert.deepEqual(
    { ...beats()[0]?.data, uptime: "", tags: {} },
    { version: "0.2.7", node_id: nodeId, nexus: "nexus", uptime: "", tags: {}, running_machines: 1 },
  );
  const beforeMs = Date.now();
  const answers = [await it.client.enterLameDuck(nodeId), await it.client.enterLameDuck(nodeId)];
  assert.deepEqual(
    answers.map((answer) => ({ ...answer })),
    [1, 2].map(() => ({ node_id: nodeId, success: true })),
  );
  await until(() => beats().some(({ data }) => tag(data) === "true"));
  const entered = events.filter(({ type }) => type === "node_entered_lameduck");
  assert.deepEqual(
    entered.map(({ data, source }) => [data, source]),
    [[{ version: "0.2.7", id: nodeId }, nodeId]],
  );
  assert.ok(Date.parse(entered[0]?.time ?? "") >= beforeMs);
  assert.deepEqual(
    (await it.client.nodeInfo(nodeId)).machines.map((machine) => machine.id),
    [id],
  );
});

function tag(data: Readonly<Record<string, unknown>>): unknown {
  return (data["tags"] as Record<string, unknown> | undefined)?.["nex.lameduck"];
}

test("a node that is to end when idle waits for its workloads, and then ends by itself", async () => {
  const it = await startTestNode({ nats });
  const events = await collectEvents(await nats.connect());
  const { id } = await it.deploy({ name: "busy", artifact: SLEEP });
  let end: unknown;
  void it.node.closed.then((reason) => (end = reason));
  await it.client.enterLameDuck(it.node.nodeId, { exit_when_idle: true });
  await it.client.nodeInfo(it.node.nodeId);
  assert.equal(end, undefined);
  await it.stop(id, "busy");
  assert.deepEqual(await it.node.closed, { kind: "idle" });
  const stopped = await until(() => events.find(({ type }) => type === "node_stopped"));
  assert.deepEqual(stopped.data, { id: it.node.nodeId, graceful: true });
  await it?.[Symbol.asyncDispose]();
});

test("an idle node stays for the delay; a later command without delay ends it", async () => {
  await using it = await startTestNode({ nats });
  const { nodeId } = it.node;
  let end: unknown;
  void it.node.closed.then((reason) => (end = reason));
  await it.client.enterLameDuck(nodeId, { exit_when_idle: true, delay_ms: 3_600_000 });
  // Longer than the node takes to see that it is idle.
  await it.client.listNodes({ timeoutMs: 400 });
  assert.equal(end, undefined);
  await it.client.enterLameDuck(nodeId, { exit_when_idle: true });
  assert.deepEqual(await it.node.closed, { kind: "idle" });
});

test("a body that is no object counts as none, and one with a wrong field is refused without effect", async () => {
  await using it = await startTestNode({ nats });
  const { nodeId } = it.node;
  const send = async (body: string): Promise<{ type: string; error?: string }> =>
    (await it.connection.request(`$NEX.LAMEDUCK.${nodeId}`, body)).json();
  const refused = await send('{"exit_when_idle": "yes"}');
  assert.deepEqual(
    [refused.type, refused.error],
    [
      "io.nats.nex.v1.lameduck_response",
      'Failed to enter lame duck mode: field "exit_when_idle" must be a boolean',
    ],
  );
  assert.equal((await it.client.pingNode(nodeId)).tags?.["nex.lameduck"], undefined);
  for (const body of ["", "null", "garbage", "[]", "{}", '{"unknown": 1}']) {
    assert.equal((await send(body)).error, undefined);
  }
  assert.equal((await it.client.pingNode(nodeId)).tags?.["nex.lameduck"], "true");
});
