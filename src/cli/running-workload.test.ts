import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchWorkloads, runningWorkloads } from "./running-workload.ts";

const common = { target_xkey: "X", version: "0.2.7", uptime: "1s" };
const machine = (id: string, name: string): { id: string; namespace: string; name: string; type: string } => {
  return { id, name, namespace: "default", type: "v8" };
};
const running = runningWorkloads([
  { ...common, node_id: "NB", running_machines: [machine("cpv0k3752omq9k2v7g10", "b")] },
  {
    ...common,
    node_id: "NA",
    tags: { node_name: "otter" },
    running_machines: [
      machine("cpv0k8n52omq9k2v7g1g", "b"),
      machine("dqw0k8n52omq9k2v7g20", "cpv0k3752omq9k2v7g10"),
      machine("dqw1k8n52omq9k2v7g30", "a"),
    ],
  },
]);

describe("runningWorkloads", () => {
  test("are sorted by name, node and id, with the name of the node", () => {
    assert.deepEqual(
      running.map(({ name, nodeName, nodeId }) => [name, nodeName, nodeId]),
      [
        ["a", "otter", "NA"],
        ["b", "no-name", "NB"],
        ["b", "otter", "NA"],
        ["cpv0k3752omq9k2v7g10", "otter", "NA"],
      ],
    );
  });
});

describe("matchWorkloads", () => {
  const table: readonly (readonly [text: string, ids: readonly string[], why: string])[] = [
    ["cpv0k3752omq9k2v7g10", ["cpv0k3752omq9k2v7g10"], "an id, before a name that looks like it"],
    ["B", ["cpv0k3752omq9k2v7g10", "cpv0k8n52omq9k2v7g1g"], "a name in any case"],
    ["a", ["dqw1k8n52omq9k2v7g30"], "a name"],
    ["cpv0k8", ["cpv0k8n52omq9k2v7g1g"], "the beginning of an id"],
    ["dqw", [], "too short a beginning"],
    ["", [], "nothing"],
  ];
  for (const [text, ids, why] of table) {
    test(`"${text}" means ${ids.length}: ${why}`, () => {
      assert.deepEqual(
        matchWorkloads(running, text).map(({ id }) => id),
        ids,
      );
    });
  }
});
