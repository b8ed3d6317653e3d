import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createEvent } from "../../control-api/index.ts";
import type { CloudEvent } from "../../control-api/index.ts";
import { eventFields, shortNodeId } from "./event-fields.ts";

const nodeId = "NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574";
const node = "NBXHUHG5FGY...TMAKBN7C574";
const workload = { node, vmid: "cpv0k3752omq9k2v7g10" };
const event = (type: string, data: object, source = nodeId): CloudEvent =>
  createEvent<string>({ type, source, data: data as never });

describe("eventFields", () => {
  test("shortens the node, and tells the workload that the source names", () => {
    assert.equal(shortNodeId("short"), "short");
    assert.deepEqual(
      eventFields({
        namespace: "default",
        event: event(
          "workload_undeployed",
          { workload_name: "echo", code: 1, message: "m", name: "echo", reason: "r", vmid: "x" },
          `${nodeId}-cpv0k3752omq9k2v7g10`,
        ),
      }),
      {
        namespace: "default",
        event_type: "workload_undeployed",
        ...workload,
        workload_name: "echo",
        code: 1,
        message: "m",
      },
    );
  });

  const table: readonly (readonly [type: string, data: object, fields: object])[] = [
    ["node_started", { version: "0.2.7", id: nodeId, tags: { a: "b" } }, { version: "0.2.7" }],
    ["node_stopped", { id: nodeId, graceful: true }, { graceful: true }],
    [
      "heartbeat",
      { version: "1", node_id: nodeId, nexus: "n", uptime: "1s", running_machines: 2 },
      { nexus: "n", version: "1", uptime: "1s", running_machines: 2 },
    ],
    [
      "function_exec_failed",
      { workload_name: "f", trigger_subject: "t", namespace: "n", error: "e" },
      { workload_name: "f", trigger_subject: "t", error: "e" },
    ],
    // Missing fields read as zero.
    ["function_exec_succeeded", {}, { workload_name: "", trigger_subject: "", elapsed_nanos: 0 }],
    ["something_else", { x: 1, y: { z: 2 } }, { x: 1, y: { z: 2 } }],
    ["heartbeat", { uptime: 7, other: 1 }, { uptime: 7, other: 1 }],
  ];
  for (const [type, data, fields] of table) {
    test(`of ${type} with ${Object.keys(data).join(", ") || "nothing"}`, () => {
      assert.deepEqual(eventFields({ namespace: "system", event: event(type, data) }), {
        namespace: "system",
        event_type: type,
        node,
        ...fields,
      });
    });
  }
});
