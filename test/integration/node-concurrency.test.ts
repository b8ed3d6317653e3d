import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import fc from "fast-check";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";

let it: TestNode;

before(async () => {
  it = await startTestNode();
});
after(async () => it[Symbol.asyncDispose]());

test("more deploys than warm agents run side by side and all succeed", async () => {
  const names = Array.from({ length: 6 }, (_, index) => `many${index}`);
  const deployed = await Promise.all(
    names.map(async (name) =>
      it.deploy({ name, artifact: `() => "${name}"`, workloadType: "v8", triggerSubjects: [`many.${name}`] }),
    ),
  );
  const answers = await Promise.all(
    names.map(async (name) => (await it.connection.request(`many.${name}`)).json()),
  );
  assert.deepEqual(answers, names);
  await Promise.all(deployed.map(async ({ id, name }) => it.stop(id, name)));
  assert.equal((await it.client.nodeInfo(it.node.nodeId)).machines.length, 0);
});

test("a deploy that hangs in its download holds up neither another deploy nor PING", async () => {
  // The object's description is there, its content is not: reading it waits for chunks that never come.
  await it.upload("hollow", "x".repeat(300_000));
  const manager = await jetstreamManager(it.connection);
  const { streams } = await manager.streams
    .list()
    .next()
    .then((list) => ({ streams: list }));
  const stream = streams.find(({ config }) => config.name === "OBJ_NEXCLIFILES");
  await manager.streams.purge(stream?.config.name ?? "", { filter: "$O.NEXCLIFILES.C.>" });
  let settled = false;
  const hanging = it.client
    .deploy({
      nodeId: it.node.nodeId,
      workloadName: "hollow",
      workloadType: "native",
      location: "nats://NEXCLIFILES/hollow",
      issuer: it.issuer,
      publisher: it.publisher,
      timeoutMs: 60_000,
    })
    .catch(() => {})
    .finally(() => (settled = true));
  await it.client.pingNode(it.node.nodeId);
  const { id } = await it.deploy({
    name: "quick",
    artifact: "() => 1",
    workloadType: "v8",
    triggerSubjects: ["quick"],
  });
  assert.equal((await it.connection.request("quick")).string(), "1");
  assert.equal(settled, false, "the other deploy is still under way");
  await it.stop(id, "quick");
  void hanging;
});

test("whatever is sent to the control subjects, the node stays up and a workload beside it goes on", async () => {
  const { id } = await it.deploy({
    name: "calm",
    artifact: "() => 1",
    workloadType: "v8",
    triggerSubjects: ["calm"],
  });
  const { nodeId } = it.node;
  const subject = fc.constantFrom(
    "$NEX.AUCTION",
    "$NEX.PING",
    `$NEX.PING.${nodeId}`,
    "$NEX.WPING.default",
    "$NEX.WPING.default.calm.more.tokens",
    "$NEX.WPING.💥",
    `$NEX.INFO.default.${nodeId}`,
    `$NEX.INFO.💥.${nodeId}`,
    `$NEX.DEPLOY.default.${nodeId}`,
    `$NEX.STOP.default.${nodeId}`,
  );
  const text = new TextEncoder();
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((json) => text.encode(json)),
    fc
      .record(
        {
          argv: fc.anything(),
          type: fc.anything(),
          location: fc.anything(),
          environment: fc.anything(),
          workload_jwt: fc.anything(),
          workload_id: fc.constantFrom(id, "x", 1, null),
          sender_public_key: fc.anything(),
          target_node: fc.constantFrom(nodeId, "x", 1, null),
          trigger_subjects: fc.anything(),
        },
        { requiredKeys: [] },
      )
      .map((record) => text.encode(toJson(record))),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(subject, body), { minLength: 20, maxLength: 40 }),
      async (messages) => {
        for (const [to, payload] of messages) it.connection.publish(to, payload, { reply: "fuzz.reply" });
        assert.equal((await it.connection.request("calm")).string(), "1");
      },
    ),
    { numRuns: 60 },
  );
  await it.client.pingNode(nodeId);
  assert.deepEqual(
    it.logs
      .filter(({ message }) => message === "Cannot handle a control request")
      .map(({ fields }) => fields),
    [],
  );
  await it.stop(id, "calm");
});

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    return "null";
  }
}
