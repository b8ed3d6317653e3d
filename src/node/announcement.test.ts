import assert from "node:assert/strict";
import { test } from "node:test";
import { createSigningKey } from "../control-api/keys.ts";
import { createSealingKey } from "../control-api/sealing-key.ts";
import { silentLogger } from "../lib/logger.ts";
import { createAnnouncement } from "./announcement.ts";
import { parseConfiguration } from "./configuration.ts";
import { NodeState } from "./node-state.ts";

test("Announcement: node_started, a heartbeat every 30 s, the first after 30 s, and node_stopped", ({
  mock,
}) => {
  mock.timers.enable({ apis: ["setInterval", "Date"] });
  const node = new NodeState(
    {
      key: createSigningKey("server"),
      xkey: createSealingKey(),
      version: "0.2.7",
      nexus: "nexus",
      startedAt: new Date(),
      isolation: "child process",
      tags: { node_name: "test" },
    },
    parseConfiguration({ no_sandbox: true }, "test"),
  );
  const events: (readonly [string, unknown])[] = [];
  const announcement = createAnnouncement({
    node,
    logger: silentLogger,
    events: { node: (type, data) => void events.push([type, data]) },
  });
  announcement.start();
  mock.timers.tick(29_999);
  assert.deepEqual(
    events.map(([type]) => type),
    ["node_started"],
  );
  mock.timers.tick(30_001);
  announcement[Symbol.dispose]();
  mock.timers.tick(60_000);
  assert.deepEqual(
    events.map(([type]) => type),
    ["node_started", "heartbeat", "heartbeat", "node_stopped"],
  );
  const id = node.identity.key.publicKey;
  assert.deepEqual(events[2]?.[1], {
    version: "0.2.7",
    node_id: id,
    nexus: "nexus",
    uptime: "1m0s",
    tags: { node_name: "test" },
    running_machines: 0,
  });
  assert.deepEqual(events[3]?.[1], { id, graceful: true });
});
