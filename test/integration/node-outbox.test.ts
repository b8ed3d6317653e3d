import assert from "node:assert/strict";
import { test } from "node:test";
import { createOutbox } from "../../src/node/outbox.ts";
import { startNats } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

const KIB = new Uint8Array(1024);

test("Outbox refuses what a server that does not read leaves behind, keeps what is essential, and goes on in order", async () => {
  await using nats = await startNats({ jetstream: false });
  const seen: string[] = [];
  const reader = await nats.connect();
  reader.subscribe("out.>", {
    callback: (_error, message) => {
      seen.push(message.subject);
    },
  });
  await reader.flush();
  const connection = await nats.connect();
  await using outbox = createOutbox(connection);
  assert.equal(outbox.room(), undefined);
  process.kill(nats.server.pid, "SIGSTOP");
  let taken = 0;
  while (taken < 100_000 && outbox.publish("out.line", KIB)) taken += 1;
  assert.ok(taken > 1000 && taken < 5000, `${taken} KiB were taken`);
  assert.ok(outbox.publish("out.essential.1", KIB, { essential: true }));
  assert.ok(outbox.publish("out.essential.2", KIB, { essential: true }));
  const room = outbox.room();
  assert.ok(room !== undefined);
  process.kill(nats.server.pid, "SIGCONT");
  await room;
  assert.ok(outbox.publish("out.last", KIB));
  await until(() => seen.includes("out.last"));
  assert.equal(seen.length, taken + 3);
  assert.deepEqual(seen.slice(-3), ["out.essential.1", "out.essential.2", "out.last"]);
});
