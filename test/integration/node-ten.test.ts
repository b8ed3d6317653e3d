import assert from "node:assert/strict";
import { test } from "node:test";
import { collectEvents } from "../support/collect-events.ts";
import { runNex } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const NODES = 10;
const WINDOW_MS = 2000;

test("ten nodes on one server: node ls, auction and ps are complete within their window, deploys of one function share its triggers", async () => {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const nodes: TestNode[] = [];
  for (let n = 0; n < NODES; n++) nodes.push(stack.use(await startTestNode({ nats })));
  const [first, second] = nodes;
  assert.ok(first !== undefined && second !== undefined);
  const { client, connection } = first;
  const ids = nodes.map(({ node }) => node.nodeId).toSorted();

  const window = { timeoutMs: WINDOW_MS, enough: (replies: readonly unknown[]) => replies.length === NODES };
  assert.deepEqual(
    (await client.listNodes(window)).map((reply) => reply.node_id),
    ids,
  );
  const bids = await client.auction({ workload_types: ["v8"] }, window);
  assert.deepEqual(bids.map((reply) => reply.node_id).toSorted(), ids);

  const order = {
    name: "shared",
    artifact: "() => 1",
    workloadType: "v8",
    triggerSubjects: ["ten.shared"],
    issuer: first.issuer,
  } as const;
  const one = await first.deploy(order);
  const other = await second.deploy(order);
  const found = await client.findWorkloads("shared", {
    ...window,
    enough: (replies) => replies.length === 2,
  });
  assert.deepEqual(
    found.map((reply) => reply.node_id).toSorted(),
    [first.node.nodeId, second.node.nodeId].toSorted(),
  );
  const services = await connection.requestMany("$SRV.PING.shared", "", {
    strategy: "count",
    maxMessages: 2,
    maxWait: WINDOW_MS,
  });
  const seen: string[] = [];
  for await (const reply of services) seen.push(reply.json<{ id: string }>().id);
  assert.deepEqual(seen.toSorted(), [one.id, other.id].toSorted());

  const listed = await runNex(["-s", nats.url, "node", "ls", "--json"]);
  assert.equal((JSON.parse(listed.stdout) as unknown[]).length, NODES, listed.stderr);
  const running = await runNex(["-s", nats.url, "ps", "--json"]);
  const workloads = JSON.parse(running.stdout) as { readonly id: string }[];
  assert.deepEqual(workloads.map(({ id }) => id).toSorted(), [one.id, other.id].toSorted(), running.stderr);

  const events = await collectEvents(connection);
  const count = 60;
  const answers = await Promise.all(
    Array.from({ length: count }, async () => (await connection.request("ten.shared")).string()),
  );
  assert.equal(answers.length, count);
  const handled = () => events.filter(({ type }) => type === "function_exec_succeeded");
  await until(() => handled().length >= count);
  assert.equal(handled().length, count, "each message is handled once");
  assert.equal(new Set(handled().map(({ source }) => source)).size, 2, "both have a part");

  await first.stop(one.id, "shared");
  assert.equal((await connection.request("ten.shared")).string(), "1", "the other one goes on");
});
