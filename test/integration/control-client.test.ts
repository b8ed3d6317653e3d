import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  artifactLocation,
  ControlRefusedError,
  createControlClient,
  createEvent,
  createSealingKey,
  createSigningKey,
  encodeEvent,
  encodeLogEntry,
  type ControlClient,
  type PingReply,
  STOP_CLONED,
  subjects,
} from "../../src/control-api/index.ts";
import { startControlApiNode, type ControlApiNode } from "../support/control-api-node.ts";
import { startNats, type TestNats } from "../support/start-nats.ts";

const issuer = createSigningKey("account");
const publisher = createSealingKey();

describe("ControlClient", () => {
  let nats: TestNats;
  let connection: NatsConnection;
  let node: ControlApiNode;
  let other: ControlApiNode;
  let client: ControlClient;

  before(async () => {
    nats = await startNats({ jetstream: false });
    connection = await nats.connect();
    node = await startControlApiNode(await nats.connect());
    other = await startControlApiNode(await nats.connect(), { arch: "arm64" });
    client = createControlClient({ connection, timeoutMs: 1000 });
  });

  after(async () => {
    await nats[Symbol.asyncDispose]();
  });

  const order = (workloadName: string, nodeId = node.id): Parameters<ControlClient["deploy"]>[0] => ({
    nodeId,
    workloadName,
    workloadType: "native",
    location: "nats://NEXCLIFILES/echo",
    issuer,
    publisher,
  });

  const both = (replies: readonly PingReply[]): boolean => replies.length === 2;

  it("lists all nodes sorted by id, dropping replies it cannot read", async () => {
    const heckler = connection.subscribe(subjects.ping(), {
      callback: (_, message) => {
        message.respond("nonsense");
        message.respond('{"type":"t","data":{"node_id":1}}');
        message.respond('{"type":"t","data":"","error":"no"}');
      },
    });
    const replies = await client.listNodes({ enough: both });
    heckler.unsubscribe();
    assert.deepEqual(
      replies.map((reply) => reply.node_id),
      [node.id, other.id].toSorted((a, b) => (a < b ? -1 : 1)),
    );
  });

  it("waits the whole window for replies unless told what is enough", async () => {
    const late = await startControlApiNode(await nats.connect(), { pingDelayMs: 150 });
    const replies = await client.listNodes({ timeoutMs: 600 });
    await late.stop();
    assert.equal(replies.length, 3);
  });

  it("gets no replies from nobody", async () => {
    const lonely = createControlClient({ connection, namespace: "nobody", timeoutMs: 200 });
    assert.deepEqual(await lonely.findWorkloads("missing"), []);
  });

  it("holds an auction with conditions", async () => {
    const fitting = await client.auction({ arch: "arm64" }, { enough: (replies) => replies.length > 0 });
    assert.deepEqual(
      fitting.map((reply) => reply.node_id),
      [other.id],
    );
    assert.equal((await client.auction({}, { enough: both })).length, 2);
  });

  it("asks one node", async () => {
    assert.equal((await client.pingNode(node.id)).node_id, node.id);
    const info = await client.nodeInfo(node.id);
    assert.equal(info.public_xkey, node.xkey);
    assert.deepEqual(info.machines, []);
  });

  it("deploys with a sealed environment, finds the workload, and stops it", async () => {
    const environment = { GREETING: "hi", EMPTY: "" };
    const reply = await client.deploy({
      ...order("echo"),
      environment,
      arguments: ["-v"],
      description: "test",
    });
    assert.partialDeepStrictEqual(reply, { started: true, name: "echo", issuer: issuer.publicKey });
    const deployed = node.workloads.get(reply.id);
    assert.deepEqual(deployed?.environment, environment);
    assert.deepEqual(deployed?.request.argv, ["-v"]);
    assert.equal(deployed?.request.target_node, node.id);
    assert.deepEqual(artifactLocation(deployed.request.location), { bucket: "NEXCLIFILES", key: "echo" });

    const found = await client.findWorkloads("echo", { enough: (replies) => replies.length > 0 });
    assert.deepEqual(
      found.map(({ node_id, running_machines }) => [node_id, running_machines.map(({ id }) => id)]),
      [[node.id, [reply.id]]],
    );

    // At once: the client itself waits until the node can accept its token.
    const stopped = await client.stop({
      nodeId: node.id,
      workloadId: reply.id,
      workloadName: "echo",
      issuer,
    });
    assert.partialDeepStrictEqual(stopped, { stopped: true, id: reply.id });
    assert.equal(node.workloads.size, 0);
    assert.equal(node.stopRefusals, 0);
  });

  it("retries a stop once when another client has just deployed", async () => {
    const reply = await createControlClient({ connection }).deploy(order("twice", other.id));
    const before = other.stopRefusals;
    // The node refuses the first token whatever its second, as if the deploying clock were ahead.
    other.refuseNextStop(STOP_CLONED);
    await client.stop({ nodeId: other.id, workloadId: reply.id, workloadName: "twice", issuer });
    assert.equal(other.stopRefusals, before + 1);
    assert.equal(other.workloads.size, 0);
  });

  it("does not retry other refusals of a stop", async () => {
    await assert.rejects(
      client.stop({ nodeId: node.id, workloadId: "missing", workloadName: "echo", issuer }),
      (error) =>
        error instanceof ControlRefusedError &&
        error.reason === "No such workload" &&
        error.message === 'Cannot stop workload "echo": No such workload',
    );
  });

  it("passes on the node's text when it refuses a deploy", async () => {
    await assert.rejects(client.deploy({ ...order("echo"), workloadType: "oci" }), {
      code: "CONTROL_REFUSED",
      message: 'Cannot deploy workload "echo": Unsupported workload type on this node: oci',
    });
    await client.enterLameDuck(other.id);
    await assert.rejects(client.deploy(order("echo", other.id)), {
      reason: "Node is in lame duck mode. Workload deploy request denied",
    });
  });

  it("tells a node that is not there from one that does not answer, and from one that babbles", async () => {
    const silent = createSigningKey("server").publicKey;
    connection.subscribe(subjects.ping(silent), { callback: () => undefined });
    const babbling = createSigningKey("server").publicKey;
    connection.subscribe(subjects.ping(babbling), { callback: (_, message) => void message.respond("?") });
    await connection.flush();
    const quick = createControlClient({ connection, timeoutMs: 200 });
    const absent = createSigningKey("server").publicKey;
    await assert.rejects(quick.pingNode(absent), { code: "NODE_NOT_FOUND" });
    await assert.rejects(quick.pingNode(silent), { code: "TIMEOUT" });
    await assert.rejects(quick.pingNode(babbling), {
      code: "WIRE_INVALID",
      message: /body is not valid JSON/u,
    });
    await assert.rejects(quick.deploy(order("echo", absent)), { code: "NODE_NOT_FOUND" });
  });

  it("refuses an impossible order before sending anything", async () => {
    const wrong: readonly (readonly [Partial<Parameters<ControlClient["deploy"]>[0]>, string])[] = [
      [{ workloadName: "a.b" }, "WORKLOAD_NAME_INVALID"],
      [{ location: "NEXCLIFILES/echo" }, "LOCATION_INVALID"],
      [{ nodeId: "*" }, "SUBJECT_INVALID"],
      [{ nodeXkey: "N1" }, "KEY_INVALID"],
    ];
    for (const [change, code] of wrong) {
      await assert.rejects(client.deploy({ ...order("echo"), ...change }), { code });
    }
    assert.throws(() => createControlClient({ connection, namespace: "a.b" }), { code: "NAMESPACE_INVALID" });
    await assert.rejects(client.pingNode("N.1"), { code: "SUBJECT_INVALID" });
    await assert.rejects(client.watchEvents({ namespace: "" }), { code: "NAMESPACE_INVALID" });
    assert.equal(node.workloads.size, 0);
  });

  it("watches events of a namespace and ends when disposed", async () => {
    const publish = (namespace: string, name: string): void => {
      const data = { workload_name: name, code: 0 };
      const event = createEvent({ type: "workload_deployed", source: node.id, data });
      connection.publish(subjects.event(namespace, event.type), encodeEvent(event));
    };
    const seen: unknown[] = [];
    const events = await client.watchEvents({ namespace: "watched" });
    connection.publish(subjects.event("watched", "broken"), "nonsense");
    publish("elsewhere", "no");
    publish("watched", "first");
    publish("watched", "second");
    for await (const { namespace, event } of events) {
      seen.push([namespace, event.data["workload_name"]]);
      if (seen.length === 2) events.stop();
    }
    assert.deepEqual(seen, [
      ["watched", "first"],
      ["watched", "second"],
    ]);
    await events[Symbol.asyncDispose]();
  });

  it("watches logs of a workload in both subject orders and ends with its signal", async () => {
    const abort = new AbortController();
    await using logs = await client.watchLogs({ workloadName: "echo", signal: abort.signal });
    const publish = (subject: string, id: string): void => {
      connection.publish(
        `$NEX.logs.default.${node.id}.${subject}`,
        encodeLogEntry({ text: subject, level: "INFO", id }),
      );
    };
    publish("echo.w1", "w1");
    publish("other.w2", "w2");
    publish("w3.echo", "w3");
    const seen: string[] = [];
    for await (const log of logs) {
      seen.push(`${log.workloadName} ${log.workloadId} ${log.text}`);
      if (seen.length === 2) abort.abort();
    }
    assert.deepEqual(seen, ["echo w1 echo.w1", "echo w3 w3.echo"]);
  });

  it("does not even start a watch whose signal has aborted", async () => {
    const logs = await client.watchLogs({ signal: AbortSignal.abort() });
    for await (const log of logs) assert.fail(`received ${log.text}`);
  });

  it("says so when the connection is closed", async () => {
    const closed = await nats.connect();
    await closed.close();
    const dead = createControlClient({ connection: closed });
    for (const attempt of [
      () => dead.listNodes(),
      () => dead.pingNode(node.id),
      () => dead.watchEvents(),
      () => dead.enterLameDuck(node.id),
    ]) {
      await assert.rejects(attempt, { code: "CONTROL_REQUEST_FAILED" });
    }
  });

  it("works with a user that may only publish below $NEX and subscribe to its own inboxes", async () => {
    await using guarded = await startNats({
      jetstream: false,
      configText: `authorization { users: [
        { user: node, password: node }
        { user: client, password: client, permissions: { publish: ["$NEX.>"], subscribe: ["_CLIENT.>"] } }
      ] }`,
    });
    const guardedNode = await startControlApiNode(await guarded.connect({ user: "node", pass: "node" }));
    const allowed = await guarded.connect({ user: "client", pass: "client", inboxPrefix: "_CLIENT" });
    const enough = (replies: readonly PingReply[]): boolean => replies.length > 0;
    assert.equal((await createControlClient({ connection: allowed }).listNodes({ enough })).length, 1);
    const denied = await guarded.connect({ user: "client", pass: "client" });
    const quick = createControlClient({ connection: denied, timeoutMs: 500 });
    await assert.rejects(quick.pingNode(guardedNode.id), { code: "CONTROL_REQUEST_FAILED" });
    await assert.rejects(quick.listNodes(), { code: "CONTROL_REQUEST_FAILED" });
  });
});
