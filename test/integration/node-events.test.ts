import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import { descendantsWith } from "../support/process-status.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestDeploy } from "../support/deployer.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const needsProc = process.platform === "linux" ? false : "finds processes in /proc, which only Linux has";
const STEADY = "#!/bin/sh\nexec /bin/sleep 1000\n";

interface Deployed {
  readonly it: TestNode;
  readonly id: string;
}

interface EndCase {
  readonly title: string;
  readonly order: Partial<TestDeploy> & { readonly artifact: string };
  readonly end: (deployed: Deployed) => Promise<unknown>;
  readonly code: number;
  readonly reason: RegExp;
  readonly message?: (id: string) => string;
  readonly skip?: string | false;
}

const fn = { workloadType: "v8", triggerSubjects: ["events.fn"] } as const;
const itself = async (): Promise<void> => {};
const stop = async ({ it, id }: Deployed): Promise<unknown> => it.stop(id, "subject");

const cases: readonly EndCase[] = [
  {
    title: "a stop of a service",
    order: { artifact: STEADY },
    end: stop,
    code: 0,
    reason: /^Workload shutdown requested$/,
  },
  {
    title: "a stop of a function",
    order: { artifact: "() => 1", ...fn },
    end: stop,
    code: 0,
    reason: /^Workload shutdown requested$/,
  },
  {
    title: "two stops at once",
    order: { artifact: STEADY },
    end: async (deployed) => Promise.allSettled([stop(deployed), stop(deployed)]),
    code: 0,
    reason: /^Workload shutdown requested$/,
  },
  {
    title: "a service that ends well",
    order: { artifact: "#!/bin/sh\nexit 0\n" },
    end: itself,
    code: 0,
    reason: /status: 0$/,
    message: (id) => `Exited workload: subject; vm: ${id}; status: 0`,
  },
  {
    title: "a service that fails",
    order: { artifact: "#!/bin/sh\nexit 7\n" },
    end: itself,
    code: 7,
    reason: /status: 7$/,
    message: (id) => `Exited workload: subject; vm: ${id}; status: 7`,
  },
  {
    title: "a service that is killed",
    order: { artifact: "#!/bin/sh\nkill -KILL $$\n" },
    end: itself,
    code: -1,
    reason: /status: -1$/,
    message: (id) => `Exited workload: subject; vm: ${id}; status: -1`,
  },
  {
    title: "a service whose agent is killed",
    order: { artifact: STEADY },
    end: async ({ id }) => killAgent(id),
    code: -1,
    reason: /agent/,
    skip: needsProc,
  },
  {
    title: "a function whose engine is killed",
    order: {
      artifact: `() => { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); }`,
      ...fn,
    },
    end: async ({ it }) => it.connection.request("events.fn", "", { timeout: 20_000 }),
    code: -1,
    reason: /agent/,
  },
  {
    title: "the shutdown of the node",
    order: { artifact: STEADY },
    end: async ({ it }) => it.node.stop(),
    code: 0,
    reason: /^Node shutdown$/,
  },
];

for (const { title, order, end, code, reason, message, skip } of cases) {
  test(`one workload_undeployed for ${title}`, { skip: skip ?? false }, async () => {
    await using it = await startTestNode();
    const events = await collectEvents(it.connection);
    const { id } = await it.deploy({ name: "subject", ...order });
    await end({ it, id });
    const of = (type: string) => events.filter((event) => event.type === type && event.source.endsWith(id));
    await until(() => of("workload_undeployed").length > 0);
    // What would come twice comes before the end of the node.
    await it.node.stop();
    await it.connection.flush();
    const [undeployed, ...more] = of("workload_undeployed");
    assert.deepEqual(more, []);
    assert.equal(of("workload_deployed").length, 1);
    const data: Readonly<Record<string, unknown>> = undeployed?.data ?? {};
    assert.deepEqual(
      [data["workload_name"], data["name"], data["vmid"], data["code"]],
      ["subject", "subject", id, code],
    );
    assert.match(String(data["reason"]), reason);
    assert.equal(data["message"], message === undefined ? data["reason"] : message(id));
    const stopped = events.filter(({ type }) => type === "node_stopped");
    assert.deepEqual(
      stopped.map((event) => event.data),
      [{ id: it.node.nodeId, graceful: true }],
    );
    assert.equal(events.at(-1)?.type, "node_stopped", "workloads end before the node does");
  });
}

test("events are CloudEvents 1.0 on four tokens, with source and namespace", async () => {
  await using it = await startTestNode({ namespace: "elsewhere" });
  const manager = await jetstreamManager(it.connection);
  await manager.streams.add({ name: "EVENTS", subjects: ["$NEX.events.>"] });
  const { nodeId } = it.node;
  const { id } = await it.deploy({ name: "subject", artifact: "() => 1", ...fn });
  await it.connection.request("events.fn");
  await it.stop(id, "subject");
  await it.node.stop();
  const { state } = await manager.streams.info("EVENTS");
  const seen: string[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const stored = await manager.streams.getMessage("EVENTS", { seq });
    const event = stored?.json<Record<string, unknown>>() ?? {};
    const type = String(event["type"]);
    const isNode = type.startsWith("node_");
    seen.push(type);
    assert.equal(stored?.subject, `$NEX.events.${isNode ? "system" : "elsewhere"}.${type}`);
    assert.equal(event["specversion"], "1.0");
    assert.equal(event["datacontenttype"], "application/json");
    assert.equal(event["source"], isNode ? nodeId : `${nodeId}-${id}`);
    assert.equal(event["namespace"], isNode ? undefined : "elsewhere");
    assert.match(String(event["id"]), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.match(String(event["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    assert.equal(typeof event["data"], "object");
    const known = ["specversion", "id", "type", "source", "time", "datacontenttype", "data", "namespace"];
    assert.deepEqual(
      Object.keys(event).filter((key) => !known.includes(key)),
      [],
    );
  }
  assert.deepEqual(seen, [
    "workload_deployed",
    "function_exec_succeeded",
    "workload_undeployed",
    "node_stopped",
  ]);
});

test("log lines come on six tokens with the level of their stream, several lines of one text apart, until the last words", async () => {
  await using it = await startTestNode();
  const logs = await collectLogs(it.connection);
  const service = await it.deploy({
    name: "service",
    artifact: `#!/bin/sh
trap 'echo bye; exit 0' INT
echo out
echo err >&2
printf 'no line feed'
while :; do /bin/sleep 0.05; done
`,
  });
  const talker = await it.deploy({
    name: "talker",
    artifact: `() => { console.debug("d"); console.log("one\\ntwo\\r\\nthree\\n"); console.warn("w"); console.error("e"); }`,
    ...fn,
  });
  await it.connection.request("events.fn");
  const of = (id: string) =>
    logs
      .filter((line) => line.id === id && !/^(Workload|Function) /.test(line.text))
      .map(({ level, text }) => `${level} ${text}`);
  await until(() => of(talker.id).length >= 6 && of(service.id).length >= 2);
  await it.stop(service.id, "service");
  await until(() => of(service.id).length >= 3);
  assert.deepEqual(of(service.id).toSorted(), ["ERROR err", "INFO no line feedbye", "INFO out"].toSorted());
  assert.deepEqual(of(talker.id), ["DEBUG d", "INFO one", "INFO two", "INFO three", "WARN w", "ERROR e"]);
  const { nodeId } = it.node;
  assert.deepEqual(
    new Set(logs.map(({ subject }) => subject)),
    new Set([
      `$NEX.logs.default.${nodeId}.service.${service.id}`,
      `$NEX.logs.default.${nodeId}.talker.${talker.id}`,
    ]),
  );
});

/** Kills the agent that has this workload; its environment says which it is. */
async function killAgent(id: string): Promise<void> {
  const [workload] = await descendantsWith(process.pid, "sleep\u00001000");
  assert.ok(workload !== undefined, `the workload ${id} runs`);
  const [agent] = await parentAgent(workload);
  assert.ok(agent !== undefined);
  process.kill(agent, "SIGKILL");
}

async function parentAgent(workload: number): Promise<number[]> {
  const agents = await descendantsWith(process.pid, "agent.js");
  const found: number[] = [];
  for (const agent of agents) {
    if ((await descendantsWith(agent, "sleep\u00001000")).includes(workload)) found.push(agent);
  }
  return found.toReversed();
}
