// Workloads that start with the node (protocol sections 9.7 and 14.2).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

let nats: TestNats;

before(async () => {
  nats = await startNats();
  const connection = await nats.connect();
  const store = await new Objm(connection).create("NEXCLIFILES");
  const put = async (name: string, text: string): Promise<void> => {
    await store.putBlob({ name }, new TextEncoder().encode(text));
  };
  await put("echo", "(subject, payload) => payload");
  await put("show", '#!/bin/sh\necho "$* $GREETING"\nexec /bin/sleep 1000\n');
  await put("crash", "#!/bin/sh\nexit 4\n");
});
after(async () => nats?.[Symbol.asyncDispose]());

/** The lines of the node about its entries, in order. */
function story({ logs }: TestNode): string[] {
  return logs.flatMap(({ message, fields }) =>
    message.endsWith("with the node") ? [`${message}: ${String(fields["workload"])}`] : [],
  );
}

test("entries start in their order with environment, arguments and triggers; failures are skipped and counted", async () => {
  await using it = await startTestNode({
    nats,
    configuration: {
      valid_issuers: ["AADSEMDKFLI5QXL6O66HQ7EDEN66S4C7V3FUZME5D7BT6T4NTR2EL75Q"],
      autostart: {
        workloads: [
          {
            name: "first",
            namespace: "here",
            type: "native",
            location: "nats://NEXCLIFILES/show",
            argv: ["a", "b"],
            environment: { greeting: "hello" },
          },
          { name: "missing", namespace: "here", type: "v8", location: "nats://NEXCLIFILES/nothing" },
          { name: "bad name", namespace: "here", type: "v8", location: "nats://NEXCLIFILES/echo" },
          { name: "nowhere", namespace: "a.b", type: "v8", location: "nats://NEXCLIFILES/echo" },
          {
            name: "second",
            namespace: "there",
            type: "v8",
            location: "nats://NEXCLIFILES/echo",
            trigger_subjects: ["auto.echo"],
            essential: true,
          },
        ],
      },
    },
    namespace: "here",
  });
  const counted = await until(() =>
    it.logs.find(({ message }) => message === "Not all startup workloads suceeded"),
  );
  assert.deepEqual(counted.fields, { expected: 5, started: 2 });
  assert.deepEqual(story(it), [
    "Started a workload with the node: first",
    "Cannot start a workload with the node: missing",
    "Cannot start a workload with the node: bad name",
    "Cannot start a workload with the node: nowhere",
    "Started a workload with the node: second",
  ]);
  assert.equal((await it.connection.request("auto.echo", "x")).string(), "x");
  const { machines } = await it.client.nodeInfo(it.node.nodeId);
  assert.deepEqual(
    machines.map(({ workload }) => [workload.name, workload.description]),
    [["first", ""]],
  );
  // Nobody holds the issuer's seed: these workloads end with the node only.
  await assert.rejects(it.stop(machines[0]?.id ?? "", "first"), /only entity allowed to terminate/);
});

test("arguments and environment of an entry reach the workload", async () => {
  const connection = await nats.connect();
  const texts: string[] = [];
  connection.subscribe("$NEX.logs.*.*.talks.*", {
    callback: (_error, message) => void texts.push(message.json<{ text: string }>().text),
  });
  await connection.flush();
  await using it = await startTestNode({
    nats,
    configuration: {
      autostart: {
        workloads: [
          {
            name: "talks",
            namespace: "default",
            type: "native",
            location: "nats://NEXCLIFILES/show",
            argv: ["a", "b"],
            environment: { greeting: "hello" },
          },
        ],
      },
    },
  });
  await until(() => texts.includes("a b hello"));
  assert.ok(!it.logs.some(({ message }) => message.startsWith("Not all startup")));
});

test("an essential entry that fails is deployed again, although its issuer is on no list", async () => {
  await using it = await startTestNode({
    nats,
    configuration: {
      valid_issuers: ["AADSEMDKFLI5QXL6O66HQ7EDEN66S4C7V3FUZME5D7BT6T4NTR2EL75Q"],
      autostart: {
        workloads: [
          {
            name: "crash",
            namespace: "default",
            type: "native",
            location: "nats://NEXCLIFILES/crash",
            essential: true,
          },
        ],
      },
    },
  });
  await until(async () => {
    const { machines } = await it.client.nodeInfo(it.node.nodeId);
    return machines.some(({ workload }) => (workload.restarts ?? 0) >= 2 && workload.last_exit?.code === 4);
  });
});

test("an entry that hangs in its download holds up neither requests nor the end of the node", async () => {
  const connection = await nats.connect();
  const store = await new Objm(connection).create("HOLLOW");
  await store.putBlob({ name: "hollow" }, new Uint8Array(300_000));
  await (await jetstreamManager(connection)).streams.purge("OBJ_HOLLOW", { filter: "$O.HOLLOW.C.>" });
  await using it = await startTestNode({
    nats,
    configuration: {
      autostart: {
        workloads: [
          { name: "hollow", namespace: "default", type: "v8", location: "nats://HOLLOW/hollow" },
          { name: "never", namespace: "default", type: "v8", location: "nats://NEXCLIFILES/echo" },
        ],
      },
    },
  });
  await until(() => it.logs.some(({ message }) => message === "Attempting object store download"));
  await it.client.pingNode(it.node.nodeId);
  const { id } = await it.deploy({
    name: "beside",
    artifact: "() => 1",
    workloadType: "v8",
    triggerSubjects: ["beside"],
  });
  assert.equal((await it.connection.request("beside")).string(), "1");
  await it.stop(id, "beside");
  assert.deepEqual(await it.node.stop(), { kind: "stopped" });
  assert.deepEqual(story(it), ["Cannot start a workload with the node: hollow"]);
});
