// Options of functions that are tested one by one elsewhere, all at once, with invocations that mean harm in between.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Kvm } from "@nats-io/kv";
import { startNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";

const PATIENCE_MS = 60_000;

/** Loops for ever, fills the memory or answers; counts in its bucket and in a variable of its own. */
const SOURCE = `let count = 0;
async (subject, payload) => {
  const said = new TextDecoder().decode(payload);
  count += 1;
  if (said === "loop") for (;;);
  if (said === "never") return new Promise(() => {});
  const { kv, objectStore } = hostServices.async;
  await kv.set("last." + said, payload);
  const stored = new TextDecoder().decode(await kv.get("last." + said));
  const refused = await objectStore.put("x", "y").catch((error) => error.message);
  return { count, stored, refused };
}`;

test("a fresh, concurrent function with connections and a bucket of its own works between invocations that are ended", async () => {
  await using triggers = await startNats();
  await using stores = await startNats();
  await using it = await startTestNode({
    configuration: {
      machine_pool_size: 2,
      functions: { timeout_ms: 8000, concurrency: 3 },
      host_services: {
        services: {
          kv: {
            enabled: true,
            config: { bucket_name: "of-${namespace}-${workload_name}", timeout_ms: 4900 },
          },
          objectstore: { enabled: false },
        },
      },
    },
  });
  const credentials = (url: string) => ({ nats_url: url, nats_user_jwt: "", nats_user_seed: "" });
  await it.deploy({
    name: "all",
    artifact: SOURCE,
    workloadType: "v8",
    triggerSubjects: ["all.*"],
    fresh: true,
    concurrency: 3,
    triggerConnection: credentials(triggers.url),
    hostServices: credentials(stores.url),
  });
  const caller = await triggers.connect();
  const ask = async (said: string) => {
    const reply = await caller.request("all.x", said, { timeout: PATIENCE_MS });
    return { failure: reply.headers?.get("Nats-Service-Error") ?? "", bytes: reply.data.length, reply };
  };
  const words = ["a", "loop", "b", "never", "c", "d", "loop", "e"];
  const answers = await Promise.all(words.map(ask));
  for (const [index, { failure, bytes, reply }] of answers.entries()) {
    const said = words[index] ?? "";
    if (said.length > 1) assert.deepEqual([failure, bytes], ["v8 execution timed out after 8000ms", 0]);
    else
      assert.deepEqual(
        [failure, reply.json()],
        ["", { count: 1, stored: said, refused: "No such host service: objectstore (404)" }],
      );
  }
  await assert.rejects(it.connection.request("all.x", "a"), /no responders/i);
  const bucket = await new Kvm(await stores.connect()).open("of-default-all");
  const keys: string[] = [];
  for await (const key of await bucket.keys()) keys.push(key);
  assert.deepEqual(keys.sort(), ["last.a", "last.b", "last.c", "last.d", "last.e"]);
});
