import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { z } from "zod";
import { InfoResponse, PingResponse, StatsResponse } from "../support/micro-schemas.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

let it: TestNode;

before(async () => {
  it = await startTestNode({ configuration: { machine_pool_size: 2 } });
});
after(async () => it[Symbol.asyncDispose]());

test("the node is a service: PING, INFO and STATS in every form, with the control subjects as endpoints", async () => {
  const { nodeId } = it.node;
  for (const suffix of ["", ".nex-node", `.nex-node.${nodeId}`]) {
    assert.equal((await ask(PingResponse, `PING${suffix}`)).id, nodeId);
    assert.equal((await ask(StatsResponse, `STATS${suffix}`)).name, "nex-node");
  }
  const information = await ask(InfoResponse, "INFO.nex-node");
  assert.equal(information.version, "0.2.7");
  assert.equal(information.metadata["node"], nodeId);
  assert.deepEqual(information.endpoints.map(({ name, subject }) => `${name} ${subject}`).toSorted(), [
    "auction $NEX.AUCTION",
    `deploy $NEX.DEPLOY.*.${nodeId}`,
    `info $NEX.INFO.*.${nodeId}`,
    `lameDuck $NEX.LAMEDUCK.${nodeId}`,
    `ping $NEX.PING.${nodeId}`,
    "pingAll $NEX.PING",
    `stop $NEX.STOP.*.${nodeId}`,
    "workloadPing $NEX.WPING.>",
  ]);
  assert.deepEqual(
    information.endpoints.map(({ subject }) => subject),
    information.subjects,
  );
  await assert.rejects(it.connection.request("$SRV.PING.nex-node.another"), /no responders/i);
});

test("the node's figures are those of its requests, refusals are errors", async () => {
  const { nodeId } = it.node;
  const figures = async (name: string) =>
    (await ask(StatsResponse, "STATS.nex-node")).endpoints.find((endpoint) => endpoint.name === name);
  const pings = (await figures("ping"))?.num_requests ?? NaN;
  await it.client.pingNode(nodeId);
  await it.client.pingNode(nodeId);
  const after = await figures("ping");
  assert.equal(after?.num_requests, pings + 2);
  assert.equal(after?.num_errors, 0);
  assert.equal(after?.last_error, "");
  assert.ok((after?.processing_time ?? 0) > 0);
  await it.connection.request(`$NEX.STOP.default.${nodeId}`, "{}");
  const stop = await until(async () => {
    const endpoint = await figures("stop");
    return endpoint?.num_requests === 1 ? endpoint : undefined;
  });
  assert.equal(stop?.num_errors, 1);
  assert.match(stop?.last_error ?? "", /Unable to deserialize stop request/);
});

test("a deployed function is a service of its own with its trigger subjects and real counts, until it is stopped", async () => {
  const { id } = await it.deploy({
    name: "moody",
    description: "Fails on demand",
    artifact: `(subject, payload) => { if (payload.length > 0) throw new Error("no payload please"); return 1; }`,
    workloadType: "v8",
    triggerSubjects: ["disc.moody.*", "disc.other.>"],
  });
  const { name, metadata, description, endpoints } = await ask(InfoResponse, `INFO.moody.${id}`);
  assert.deepEqual(
    { name, metadata, description },
    {
      name: "moody",
      description: "Fails on demand",
      metadata: { namespace: "default", type: "v8", node: it.node.nodeId, workload_id: id },
    },
  );
  assert.deepEqual(
    endpoints.map((endpoint) => [endpoint.name, endpoint.subject, endpoint.queue_group]),
    [
      ["disc-moody-any", "disc.moody.*", "default.moody"],
      ["disc-other-all", "disc.other.>", "default.moody"],
    ],
  );
  for (let count = 0; count < 3; count++) await it.connection.request("disc.moody.x");
  await it.connection.request("disc.moody.x", "payload");
  const stats = await until(async () => {
    const answer = await ask(StatsResponse, "STATS.moody");
    return answer.endpoints[0]?.num_requests === 4 ? answer : undefined;
  });
  const [moody, other] = stats?.endpoints ?? [];
  assert.equal(moody?.num_errors, 1);
  assert.match(moody?.last_error ?? "", /no payload please/);
  assert.ok((moody?.processing_time ?? 0) > 0);
  assert.equal(moody?.average_processing_time, Math.floor((moody?.processing_time ?? 0) / 4));
  assert.deepEqual(
    [other?.num_requests, other?.num_errors, other?.last_error, other?.average_processing_time],
    [0, 0, "", 0],
  );
  await it.stop(id, "moody");
  await assert.rejects(it.connection.request("$SRV.PING.moody"), /no responders/i);
});

async function ask<Schema extends z.ZodType>(schema: Schema, verb: string): Promise<z.output<Schema>> {
  const reply = await it.connection.request(`$SRV.${verb}`);
  return schema.parse(JSON.parse(reply.string()));
}
