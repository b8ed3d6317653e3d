// How functions are run: what a deploy asks for, and what the node's configuration allows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";
import { buildModule, op } from "../support/wasm-builder.ts";

const COUNTING =
  "let count = 0; globalThis.seen ??= []; (subject) => { seen.push(subject); return [++count, seen.length]; }";
const SECOND = "() => [typeof count, typeof seen]";

let it: TestNode;

before(async () => {
  it = await startTestNode({
    configuration: {
      machine_pool_size: 2,
      functions: { timeout_ms: 300, memory_mib: 16, max_source_bytes: 2000, concurrency: 2 },
    },
  });
});
after(async () => it?.[Symbol.asyncDispose]());

async function ask(connection: NatsConnection, subject: string): Promise<unknown> {
  const reply = await connection.request(subject, "", { timeout: 20_000 });
  const failure = reply.headers?.get("Nats-Service-Error") ?? "";
  return failure === "" ? reply.json() : failure;
}

test("a function keeps its state by default, none when it is fresh, and no two functions share any", async () => {
  const order = { artifact: COUNTING, workloadType: "v8" } as const;
  await it.deploy({ ...order, name: "keeps", triggerSubjects: ["keeps"] });
  await it.deploy({ ...order, name: "fresh", triggerSubjects: ["fresh"], fresh: true });
  await it.deploy({ ...order, name: "second", triggerSubjects: ["second"], artifact: SECOND });
  const answers = async (subject: string): Promise<unknown[]> => {
    const all = [];
    for (let round = 0; round < 3; round += 1) all.push(await ask(it.connection, subject));
    return all;
  };
  assert.deepEqual(await answers("keeps"), [
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  assert.deepEqual(await answers("fresh"), [
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  assert.deepEqual(await ask(it.connection, "second"), ["undefined", "undefined"]);
  const { machines } = await it.client.nodeInfo(it.node.nodeId);
  const shown = machines.map(({ workload }) => `${workload.name} ${workload.fresh} ${workload.concurrency}`);
  assert.deepEqual(shown.toSorted(), ["fresh true 2", "keeps false 2", "second false 2"]);
});

test("the configured time limit ends an invocation, in JavaScript and in WebAssembly", async () => {
  await it.deploy({
    name: "slow",
    artifact: "() => { for (;;) {} }",
    workloadType: "v8",
    triggerSubjects: ["slow"],
  });
  assert.equal(await ask(it.connection, "slow"), "v8 execution timed out after 300ms");
  await it.deploy({
    name: "slowwasm",
    artifact: buildModule({ start: op.loop(op.branch(0)) }),
    workloadType: "wasm",
    triggerSubjects: ["slowwasm"],
  });
  assert.equal(await ask(it.connection, "slowwasm"), "wasm execution timed out after 300ms");
});

test("the configured memory limit ends a function, and the node starts it again", async () => {
  const artifact = `(subject) => {
    if (subject === "memory.fine") return 1;
    const all = [];
    for (;;) all.push({ text: new Array(100).fill(Math.random()) });
  }`;
  await it.deploy({ name: "memory", artifact, workloadType: "v8", triggerSubjects: ["memory.*"] });
  assert.match(String(await ask(it.connection, "memory.bomb")), /memory|timed out after 300ms/);
  // Until the old process has ended, it may be asked once more.
  await until(async () => (await ask(it.connection, "memory.fine")) === 1);
});

test("a source beyond the configured size is refused with both sizes", async () => {
  const artifact = `() => 1 //${"x".repeat(2000)}`;
  await assert.rejects(
    it.deploy({ name: "large", artifact, workloadType: "v8", triggerSubjects: ["large"] }),
    new RegExp(`source file \\(${artifact.length} bytes\\) exceeds maximum of 2000 bytes`),
  );
});

test("a process cannot be fresh or concurrent", async () => {
  const order = { name: "process", artifact: "#!/bin/sh\nexec sleep 100\n" };
  await assert.rejects(
    it.deploy({ ...order, fresh: true }),
    /Unsupported workload type for fresh invocations: native/,
  );
  await assert.rejects(
    it.deploy({ ...order, concurrency: 2 }),
    /Unsupported workload type for concurrency: native/,
  );
});

test("entries of autostart may be fresh and limit their concurrency", async () => {
  await it.upload("auto", COUNTING);
  await using other = await startTestNode({
    nats: it.nats,
    configuration: {
      functions: { concurrency: 8 },
      autostart: {
        workloads: [
          {
            name: "auto",
            namespace: "default",
            type: "v8",
            location: "nats://NEXCLIFILES/auto",
            trigger_subjects: ["auto"],
            fresh: true,
            concurrency: 3,
          },
        ],
      },
    },
  });
  const machine = await until(async () =>
    (await other.client.nodeInfo(other.node.nodeId)).machines.find(({ uptime }) => uptime !== ""),
  );
  assert.deepEqual([machine.workload.fresh, machine.workload.concurrency], [true, 3]);
  await until(async () => ask(other.connection, "auto"));
  assert.deepEqual(await ask(other.connection, "auto"), [1, 1]);
});
