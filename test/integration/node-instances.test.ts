// Several invocations of one function at a time: further agents while they are needed, and one workload to the outside.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Msg } from "@nats-io/transport-node";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import { findAgents } from "../support/marked-processes.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode, TestNodeOptions } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const EXAMPLES = join(import.meta.dirname, "..", "..", "examples");
/** For a machine that has other things to do. */
const PATIENCE_MS = 60_000;
const MESSAGING = { enabled: true, config: { request_timeout_ms: 4900 } };

/** Says which of its agents it is, after whoever holds the gate has let it through; knocks again when that takes long. */
const GATED = `
  const me = crypto.randomUUID();
  let calls = 0;
  async (subject, payload) => {
    calls += 1;
    for (let open = false; !open; ) {
      const answer = hostServices.async.messaging.request("gate", payload);
      open = await answer.then(() => true, (error) => !/no answer/.test(error.message));
    }
    return { me, calls, said: new TextDecoder().decode(payload) };
  }`;

interface Answer {
  readonly me: string;
  readonly calls: number;
  readonly said: string;
}

async function startBusyNode(options: TestNodeOptions = {}): Promise<TestNode> {
  return startTestNode({
    ...options,
    configuration: {
      machine_pool_size: 2,
      host_services: { services: { messaging: MESSAGING } },
      functions: { concurrency: 4, timeout_ms: PATIENCE_MS },
      ...options.configuration,
    },
  });
}

/** Keeps invocations inside of the function until they are let go on. */
interface Gate {
  readonly inside: readonly Msg[];
  /** Resolves once so many are inside, and lets all of them go on. */
  letPass(count: number): Promise<void>;
}

async function openGate(it: TestNode): Promise<Gate> {
  const inside: Msg[] = [];
  it.connection.subscribe("gate", {
    callback: (_error, message) => {
      const before = inside.findIndex((held) => held.string() === message.string());
      inside.splice(before === -1 ? inside.length : before, 1, message);
    },
  });
  await it.connection.flush();
  const letPass = async (count: number): Promise<void> => {
    await until(() => inside.length === count, { timeoutMs: PATIENCE_MS });
    for (const held of inside.splice(0)) held.respond("go");
  };
  return { inside, letPass };
}

async function call(it: TestNode, subject: string, payload: string): Promise<Answer> {
  const reply = await it.connection.request(subject, payload, { timeout: PATIENCE_MS });
  assert.equal(reply.headers?.get("Nats-Service-Error") ?? "", "");
  return reply.json<Answer>();
}

async function callAll(it: TestNode, subject: string, count: number): Promise<Answer[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => call(it, subject, `${subject} ${index}`)),
  );
}

/** Ids of the machines that assist others, in the order in which they were added. */
function assistants(it: TestNode): string[] {
  return it.logs
    .filter(({ message }) => message === "Added an instance of a function")
    .map(({ fields }) => String(fields["machine_id"]));
}

async function workloads(it: TestNode) {
  return (await it.client.nodeInfo(it.node.nodeId)).machines;
}

test("invocations that need each other meet, on as many agents, and the workload is one", async () => {
  await using it = await startBusyNode();
  const events = await collectEvents(it.connection);
  const { id } = await it.deploy({
    name: "meet",
    artifact: GATED,
    workloadType: "v8",
    triggerSubjects: ["meet"],
    concurrency: 3,
  });
  const gate = await openGate(it);
  const [answers] = await Promise.all([callAll(it, "meet", 3), gate.letPass(3)]);
  assert.equal(new Set(answers.map(({ me }) => me)).size, 3);
  assert.deepEqual(answers.map(({ said }) => said).toSorted(), ["meet 0", "meet 1", "meet 2"]);

  const [machine, ...others] = await workloads(it);
  assert.deepEqual(others, []);
  assert.equal(machine?.id, id);
  assert.equal(machine?.workload.instances, 3);
  assert.equal(machine?.workload.concurrency, 3);
  const ping = await it.client.pingNode(it.node.nodeId);
  assert.equal(ping.running_machines, 1);

  assert.equal(findAgents(assistants(it)).size, 2);
  await it.stop(id, "meet");
  assert.equal(findAgents([id, ...assistants(it)]).size, 0);
  await until(() => events.some(({ type }) => type === "workload_undeployed"));
  const ofWorkload = events.filter(({ type }) => type.startsWith("workload_")).map(({ type }) => type);
  assert.deepEqual(ofWorkload, ["workload_deployed", "workload_undeployed"]);
  const succeeded = events.filter(({ type }) => type === "function_exec_succeeded");
  assert.equal(succeeded.length, 3);
});

test("a function that is usually quick can call itself", async () => {
  await using it = await startBusyNode();
  const artifact = `async (subject, payload) =>
    payload.length === 0 ? "quick" : hostServices.async.messaging.request("self", payload.subarray(1))`;
  await it.deploy({ name: "self", artifact, workloadType: "v8", triggerSubjects: ["self"], concurrency: 3 });
  for (let round = 0; round < 30; round += 1)
    await it.connection.request("self", "", { timeout: PATIENCE_MS });
  const reply = await it.connection.request("self", "xx", { timeout: PATIENCE_MS });
  assert.equal(reply.string(), '"quick"');
});

test("hundreds of requests at once get the replies to their own payloads, and keep to the limit", async () => {
  await using it = await startBusyNode();
  const source = `
    const me = crypto.randomUUID();
    let inside = 0;
    async (subject, payload) => {
      inside += 1;
      const said = new TextDecoder().decode(payload);
      await new Promise((done) => setTimeout(done, said.length % 7));
      const alone = inside === 1;
      inside -= 1;
      return { me, alone, said };
    }`;
  await it.deploy({ name: "many", artifact: source, workloadType: "v8", triggerSubjects: ["many.>"] });
  const payloads = Array.from({ length: 400 }, (_, index) => `${index} ${"x".repeat((index * 37) % 501)}`);
  const answers = await Promise.all(
    payloads.map(async (payload, index) => {
      const reply = await it.connection.request(`many.${index}`, payload, { timeout: PATIENCE_MS });
      return reply.json<{ readonly me: string; readonly alone: boolean; readonly said: string }>();
    }),
  );
  assert.deepEqual(
    answers.map(({ said }) => said),
    payloads,
  );
  assert.ok(answers.every(({ alone }) => alone));
  const agents = new Set(answers.map(({ me }) => me)).size;
  assert.ok(agents > 1 && agents <= 4, `${agents} agents answered`);
});

test("one call after the other stays with one agent, and so does its state", async () => {
  await using it = await startBusyNode();
  const source = "let calls = 0; () => ++calls";
  await it.deploy({ name: "one", artifact: source, workloadType: "v8", triggerSubjects: ["one"] });
  for (let expected = 1; expected <= 50; expected += 1) {
    assert.equal((await it.connection.request("one", "", { timeout: PATIENCE_MS })).json(), expected);
  }
  assert.deepEqual(assistants(it), []);
});

test("an instance that is killed fails what it runs; the others go on, and the workload does", async () => {
  await using it = await startBusyNode();
  const events = await collectEvents(it.connection);
  const { id } = await it.deploy({
    name: "loss",
    artifact: GATED,
    workloadType: "v8",
    triggerSubjects: ["loss"],
    concurrency: 2,
  });
  const gate = await openGate(it);
  const [before] = await Promise.all([callAll(it, "loss", 2), gate.letPass(2)]);
  const [assistant = ""] = assistants(it);
  const pid = findAgents([assistant]).get(assistant);
  assert.ok(pid !== undefined);

  const calls = ["a", "b"].map(async (said) => it.connection.request("loss", said, { timeout: PATIENCE_MS }));
  await until(() => gate.inside.length === 2);
  process.kill(pid, "SIGKILL");
  const failed = await Promise.race(calls);
  assert.match(failed.headers?.get("Nats-Service-Error") ?? "", /^agent /);
  assert.equal(failed.data.length, 0);
  await gate.letPass(2);
  const replies = (await Promise.all(calls)).filter(({ data }) => data.length > 0);
  assert.equal(replies.length, 1);
  const mine = replies[0]?.json<Answer>().me;
  assert.ok(
    before.some(({ me }) => me === mine),
    "the other agent has kept its state",
  );

  const [machine, ...others] = await workloads(it);
  assert.deepEqual([machine?.id, others.length], [id, 0]);
  const [after] = await Promise.all([callAll(it, "loss", 2), gate.letPass(2)]);
  assert.equal(new Set(after.map(({ me }) => me)).size, 2);
  assert.ok(after.some(({ me }) => me === mine));
  assert.equal(events.filter(({ type }) => type === "workload_undeployed").length, 0);
});

test("a workload is lost with its own agent: its instances end, and it is deployed again as it was", async () => {
  await using it = await startBusyNode();
  const events = await collectEvents(it.connection);
  const { id } = await it.deploy({
    name: "primary",
    artifact: GATED,
    workloadType: "v8",
    triggerSubjects: ["primary"],
    concurrency: 2,
    fresh: true,
  });
  const gate = await openGate(it);
  await Promise.all([callAll(it, "primary", 2), gate.letPass(2)]);
  const pid = findAgents([id]).get(id);
  assert.ok(pid !== undefined);
  process.kill(pid, "SIGKILL");
  const machine = await until(async () =>
    (await workloads(it)).find((other) => other.id !== id && other.workload.instances === 1),
  );
  assert.equal(machine.workload.concurrency, 2);
  assert.equal(machine.workload.fresh, true);
  assert.equal(findAgents(assistants(it)).size, 0);
  await until(() => events.filter(({ type }) => type === "workload_deployed").length === 2);
  assert.equal(events.filter(({ type }) => type === "workload_undeployed").length, 1);
  const [answers] = await Promise.all([callAll(it, "primary", 2), gate.letPass(2)]);
  assert.deepEqual(
    answers.map(({ calls }) => calls),
    [1, 1],
  );
});

test("instances that have nothing to do are given up, their last log lines arrive under the workload's id", async () => {
  await using it = await startBusyNode({ instanceIdleMs: 100 });
  const logs = await collectLogs(it.connection);
  const { id } = await it.deploy({
    name: "quiet",
    artifact: GATED.replace("calls += 1;", "calls += 1; console.log('call of', me);"),
    workloadType: "v8",
    triggerSubjects: ["quiet"],
    concurrency: 2,
  });
  const gate = await openGate(it);
  const [answers] = await Promise.all([callAll(it, "quiet", 2), gate.letPass(2)]);
  assert.equal(assistants(it).length, 1);
  await until(() => findAgents(assistants(it)).size === 0);
  const [machine] = await workloads(it);
  assert.equal(machine?.workload.instances, 1);
  for (const { me } of answers) {
    const line = await until(() => logs.find(({ text }) => text === `call of ${me}`));
    assert.equal(line.id, id);
  }
  const said = logs.map(({ text }) => text).filter((text) => /deployed|exited/.test(text));
  assert.deepEqual(said, ["Workload quiet deployed"], "instances come and go unseen");
  const [again] = await Promise.all([callAll(it, "quiet", 1), gate.letPass(1)]);
  assert.ok(answers.some(({ me }) => me === again[0]?.me));
});

test("a deploy goes before instances, and a workload with instances counts once against the limits", async () => {
  await using it = await startBusyNode({
    configuration: { machine_pool_size: 1, node_limits: { max_workloads: 2 } },
  });
  await it.deploy({ name: "big", artifact: GATED, workloadType: "v8", triggerSubjects: ["big"] });
  const gate = await openGate(it);
  const calls = callAll(it, "big", 4);
  const second = it.deploy({
    name: "next",
    artifact: "() => 1",
    workloadType: "v8",
    triggerSubjects: ["next"],
  });
  const [{ id }] = await Promise.all([second, gate.letPass(4), calls]);
  assert.equal((await it.connection.request("next", "", { timeout: PATIENCE_MS })).json(), 1);
  assert.equal((await workloads(it)).length, 2);
  await assert.rejects(
    it.deploy({ name: "third", artifact: "() => 1", workloadType: "v8", triggerSubjects: ["third"] }),
    /Node is at maximum workload limit/,
  );
  await it.stop(id, "next");
});

test("the end of the node ends all instances; invocations under way are answered first", async () => {
  const it = await startBusyNode();
  await it.deploy({ name: "last", artifact: GATED, workloadType: "v8", triggerSubjects: ["last"] });
  const gate = await openGate(it);
  const calls = callAll(it, "last", 3);
  await until(() => gate.inside.length === 3);
  const machines = assistants(it);
  assert.equal(machines.length, 2);
  const ended = it.node.stop();
  await gate.letPass(3);
  assert.equal((await calls).length, 3);
  await ended;
  assert.equal(findAgents(machines).size, 0);
  await it[Symbol.asyncDispose]();
});

test("WebAssembly functions get more agents, too", async () => {
  await using it = await startBusyNode({ configuration: { functions: { concurrency: 2 } } });
  const artifact = await readFile(join(EXAMPLES, "wasm/echofunction/echofunction.wasm"));
  const { id } = await it.deploy({ name: "echo", artifact, workloadType: "wasm", triggerSubjects: ["wasm"] });
  let round = 0;
  await until(async () => {
    round += 1;
    const payloads = Array.from({ length: 200 }, (_, index) => `${round} ${index} `);
    const replies = await Promise.all(
      payloads.map(async (payload) => it.connection.request("wasm", payload, { timeout: PATIENCE_MS })),
    );
    assert.deepEqual(
      replies.map((reply) => reply.string()),
      payloads.map((payload) => `${payload}wasm`),
    );
    return assistants(it).length > 0;
  });
  await it.stop(id, "echo");
  assert.equal(findAgents([id, ...assistants(it)]).size, 0);
});

test("fresh functions run side by side, and nothing stays on either agent", async () => {
  await using it = await startBusyNode({ configuration: { functions: { concurrency: 2 } } });
  await it.deploy({
    name: "clean",
    artifact: GATED,
    workloadType: "v8",
    triggerSubjects: ["clean"],
    fresh: true,
    concurrency: 7,
  });
  const gate = await openGate(it);
  for (let round = 0; round < 3; round += 1) {
    const [answers] = await Promise.all([callAll(it, "clean", 2), gate.letPass(2)]);
    assert.deepEqual(
      answers.map(({ calls }) => calls),
      [1, 1],
    );
  }
  const [machine] = await workloads(it);
  assert.equal(machine?.workload.concurrency, 2, "not more than the node allows");
});
