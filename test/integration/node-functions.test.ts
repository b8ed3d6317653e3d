import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const examples = join(import.meta.dirname, "..", "..", "examples");
let it: TestNode;

before(async () => {
  it = await startTestNode({ configuration: { machine_pool_size: 2 } });
});
after(async () => it[Symbol.asyncDispose]());

test("a JavaScript function answers on its trigger subject, is listed, and is gone after its stop", async () => {
  const events = await collectEvents(it.connection);
  const logs = await collectLogs(it.connection);
  const artifact = await readFile(join(examples, "js/echofunction/echo.js"));
  const { id } = await it.deploy({
    name: "echojs",
    artifact,
    workloadType: "v8",
    triggerSubjects: ["t1.echo.*"],
  });
  assert.equal((await it.connection.request("t1.echo.x", "heya")).string(), "heya");

  const { machines } = await it.client.nodeInfo(it.node.nodeId);
  const machine = machines.find((candidate) => candidate.id === id);
  assert.equal(machine?.workload.name, "echojs");
  assert.match(machine?.workload.runtime ?? "", /^\d+(ns|ms)$/);
  await until(() => logs.some(({ text, id: of }) => of === id && text === "t1.echo.x"));
  const line = logs.find(({ text }) => text === "t1.echo.x");
  assert.equal(line?.subject, `$NEX.logs.default.${it.node.nodeId}.echojs.${id}`);
  assert.equal(line?.level, "INFO");

  const stopped = await it.stop(id, "echojs");
  assert.deepEqual({ ...stopped }, { stopped: true, id, issuer: it.issuer.publicKey, name: "echojs" });
  await assert.rejects(it.connection.request("t1.echo.x", "heya"), /no responders/i);
  const of = (type: string) => events.filter((event) => event.type === type && event.source.endsWith(id));
  await until(() => of("workload_undeployed").length > 0);
  assert.deepEqual(
    of("workload_deployed").map(({ data }) => data["workload_name"]),
    ["echojs"],
  );
  assert.deepEqual(
    of("workload_undeployed").map(({ data }) => [
      data["workload_name"],
      data["code"],
      data["reason"],
      data["vmid"],
    ]),
    [["echojs", 0, "Workload shutdown requested", id]],
  );
  assert.equal(of("function_exec_succeeded")[0]?.data["trigger_subject"], "t1.echo.*");
});

test("a WebAssembly function answers payload and subject", async () => {
  const artifact = await readFile(join(examples, "wasm/echofunction/echofunction.wasm"));
  const { id } = await it.deploy({
    name: "echowasm",
    artifact,
    workloadType: "wasm",
    triggerSubjects: ["t2.wasm"],
  });
  assert.equal((await it.connection.request("t2.wasm", "hello")).string(), "hellot2.wasm");
  await it.stop(id, "echowasm");
});

test("payloads travel unchanged, every byte and 1 MiB less the headers' room", async () => {
  const { id } = await it.deploy({
    name: "bytes",
    artifact: "(subject, payload) => payload",
    workloadType: "v8",
    triggerSubjects: ["t3.bytes"],
  });
  const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);
  const large = new Uint8Array(1024 * 1024).map((_, index) => index % 251);
  for (const payload of [everyByte, large, new Uint8Array(0)]) {
    const reply = await it.connection.request("t3.bytes", payload, { timeout: 5000 });
    assert.deepEqual(Buffer.from(reply.data), Buffer.from(payload));
  }
  await it.stop(id, "bytes");
});

test("a failing function answers at once with the reason, and the next call works", async () => {
  const events = await collectEvents(it.connection);
  const { id } = await it.deploy({
    name: "moody",
    artifact: `(subject, payload) => { if (payload.length > 0) throw new Error("no payload please"); return "fine"; }`,
    workloadType: "v8",
    triggerSubjects: ["t4.moody"],
  });
  const failed = await it.connection.request("t4.moody", "x");
  assert.equal(failed.data.length, 0);
  assert.equal(failed.headers?.get("Nats-Service-Error-Code"), "500");
  assert.match(failed.headers?.get("Nats-Service-Error") ?? "", /no payload please/);
  const next = await it.connection.request("t4.moody");
  assert.deepEqual([next.string(), next.headers?.get("Nats-Service-Error") ?? ""], ['"fine"', ""]);
  const failure = await until(() => events.find(({ type }) => type === "function_exec_failed"));
  assert.match(String(failure?.data["error"]), /no payload please/);
  await it.stop(id, "moody");
});

test("what a function prints is logged while it still runs", async () => {
  const logs = await collectLogs(it.connection);
  await it.deploy({
    name: "talker",
    artifact: `async () => {
      console.log("before");
      for (let open = false; !open; ) {
        await new Promise((done) => setTimeout(done, 20));
        open = await hostServices.async.messaging.request("t1.gate", "").then(() => true, () => false);
      }
      console.log("after");
    }`,
    workloadType: "v8",
    triggerSubjects: ["t1.talker"],
  });
  const over = it.connection.request("t1.talker", "", { timeout: 20_000 });
  await until(() => logs.some(({ text }) => text === "before"));
  assert.ok(!logs.some(({ text }) => text === "after"), "the invocation was over already");
  const gate = it.connection.subscribe("t1.gate", { callback: (_, message) => void message.respond() });
  assert.equal((await over).headers?.get("Nats-Service-Error") ?? "", "");
  gate.unsubscribe();
  await until(() => logs.some(({ text }) => text === "after"));
});

test("an endless loop is answered within its limit, and the workload's neighbours go on", async () => {
  const [loop, neighbour] = await Promise.all([
    it.deploy({
      name: "loop",
      artifact: `(subject, payload) => { if (payload.length === 0) return 1; for (;;) {} }`,
      workloadType: "v8",
      triggerSubjects: ["t5.loop"],
    }),
    it.deploy({
      name: "neighbour",
      artifact: "() => 2",
      workloadType: "v8",
      triggerSubjects: ["t5.neighbour"],
    }),
  ]);
  const looping = it.connection.request("t5.loop", "x", { timeout: 10_000 });
  assert.equal((await it.connection.request("t5.neighbour")).string(), "2");
  assert.match((await looping).headers?.get("Nats-Service-Error") ?? "", /execution timed out after 5000ms/);
  assert.equal((await it.connection.request("t5.loop")).string(), "1");
  await it.stop(loop.id, "loop");
  await it.stop(neighbour.id, "neighbour");
});

test("two deploys of one function share its triggers: each message is handled once", async () => {
  const artifact = "() => 1";
  const order = { name: "twice", artifact, workloadType: "v8", triggerSubjects: ["t6.twice"] } as const;
  const first = await it.deploy(order);
  const second = await it.deploy(order);
  assert.notEqual(first.id, second.id);
  const events = await collectEvents(it.connection);
  const count = 40;
  await Promise.all(Array.from({ length: count }, async () => it.connection.request("t6.twice")));
  const handled = () => events.filter(({ type }) => type === "function_exec_succeeded");
  await until(() => handled().length >= count);
  assert.equal(handled().length, count);
  assert.equal(new Set(handled().map(({ source }) => source)).size, 2, "both copies had a part");
  await it.stop(first.id, "twice");
  await it.stop(second.id, "twice");
});

test("a function that does not compile is refused, and nothing of it is left", async () => {
  const before = (await it.client.nodeInfo(it.node.nodeId)).machines.length;
  await assert.rejects(
    it.deploy({ name: "broken", artifact: "((", workloadType: "v8", triggerSubjects: ["t7.broken"] }),
    /Failed to deploy workload: workload rejected by agent: Failed to validate workload: failed to compile source/,
  );
  await assert.rejects(
    it.deploy({ name: "broken", artifact: "() => 1", workloadType: "v8" }),
    /at least one trigger subject is required for this workload type/,
  );
  await assert.rejects(it.connection.request("t7.broken"), /no responders/i);
  assert.equal((await it.client.nodeInfo(it.node.nodeId)).machines.length, before);
  const { id } = await it.deploy({
    name: "fine",
    artifact: "() => 1",
    workloadType: "v8",
    triggerSubjects: ["t7.fine"],
  });
  await it.stop(id, "fine");
});

test("the environment reaches a function as the frozen global env", async () => {
  const { id } = await it.deploy({
    name: "environment",
    artifact: `() => { try { env.GREETING = "changed"; } catch {} return env.GREETING; }`,
    workloadType: "v8",
    environment: { GREETING: "hi" },
    triggerSubjects: ["t9.environment"],
  });
  assert.equal((await it.connection.request("t9.environment")).string(), '"hi"');
  await it.stop(id, "environment");
});

test("a function that takes too much memory is answered with the reason, and its end is reported", async () => {
  const events = await collectEvents(it.connection);
  const { id } = await it.deploy({
    name: "bomb",
    artifact: `(subject, payload) => payload.length === 0 ? 1 : new Array(1e8).fill(1.5).length`,
    workloadType: "v8",
    triggerSubjects: ["t11.bomb"],
  });
  assert.equal((await it.connection.request("t11.bomb")).string(), "1");
  const reply = await it.connection.request("t11.bomb", "x", { timeout: 15_000 });
  // Which of the two the watchdog sees first depends on how busy the machine is.
  const reason = /memory limit|does not stop after its time limit/;
  assert.match(reply.headers?.get("Nats-Service-Error") ?? "", reason);
  const ended = await until(() =>
    events.find(({ type, source }) => type === "workload_undeployed" && source.endsWith(id)),
  );
  assert.match(String(ended?.data["reason"]), reason);
  // The node deploys the function again, under a new id.
  const again = await until(async () => (await it.connection.request("t11.bomb")).string());
  assert.equal(again, "1");
  const machines = (await it.client.nodeInfo(it.node.nodeId)).machines.filter(
    ({ workload }) => workload.name === "bomb",
  );
  assert.equal(machines.length, 1);
  assert.notEqual(machines[0]?.id, id);
  await it.stop(machines[0]?.id ?? "", "bomb");
});
