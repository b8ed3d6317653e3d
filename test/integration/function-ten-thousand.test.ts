// Ten thousand invocations of functions with host services: what they took comes back.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Kvm } from "@nats-io/kv";
import { residentMiB } from "../support/process-status.ts";
import { findAgents } from "../support/marked-processes.ts";
import { startHttpPeer } from "../support/start-http-peer.ts";
import { startTestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const IN_FLIGHT = 16;
const PATIENCE_MS = 60_000;
/** What caches and heaps may settle at above the base; a leak of 10 KiB per invocation would be 80 MiB. */
const SLACK_MIB = 32;

/** Of fifty invocations five fail, one calls all services, five leave timers and calls behind. */
const SOURCE = `async (subject, payload) => {
  const { kv, messaging, http } = hostServices.async;
  const index = Number(new TextDecoder().decode(payload));
  if (index % 10 === 0) throw new Error("one of ten");
  if (index % 50 === 1)
    await Promise.all([kv.get("key"), messaging.request("peer", payload), http.get(env.URL)]);
  if (index % 10 === 2) {
    setTimeout(() => {}, 60_000);
    kv.get("key");
  }
  return index;
}`;

test(
  "ten thousand invocations leave no connection, timer, file or memory behind",
  { skip: process.platform === "linux" ? false : "reads /proc, which is Linux only" },
  async () => {
    await using peer = await startHttpPeer({ answer: (_, response) => void response.end("ok") });
    await using it = await startTestNode({
      configuration: {
        functions: { concurrency: 1, timeout_ms: PATIENCE_MS },
        host_services: {
          services: {
            http: { enabled: true, config: { allow: ["127.0.0.1"], timeout_ms: 4900 } },
            kv: { enabled: true, config: { timeout_ms: 4900 } },
            messaging: { enabled: true, config: { request_timeout_ms: 4900 } },
          },
        },
      },
    });
    it.connection.subscribe("peer", { callback: (_, message) => void message.respond(message.data) });
    const { id } = await it.deploy({
      name: "many",
      artifact: SOURCE,
      workloadType: "v8",
      triggerSubjects: ["many"],
      environment: { URL: `${peer.origin}/` },
    });
    await (await new Kvm(it.connection).create("hs_default_many_kv")).put("key", "value");
    const agent = findAgents([id]).get(id);
    assert.ok(agent !== undefined);

    const invoke = async (from: number, to: number): Promise<void> => {
      let next = from;
      const lane = async (): Promise<void> => {
        while (next < to) {
          const index = next++;
          const reply = await it.connection.request("many", String(index), { timeout: PATIENCE_MS });
          const failure = reply.headers?.get("Nats-Service-Error") ?? "";
          if (index % 10 === 0) assert.match(failure, /^Error: one of ten/);
          else assert.deepEqual([failure, reply.string()], ["", String(index)]);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    };
    const pids = { node: process.pid, agent, "nats-server": it.nats.server.pid };
    await invoke(0, 2000);
    const before = { timers: timers(), files: await openFiles(pids), heapMiB: heapMiB() };
    const agentMiB = await residentMiB(agent);
    await invoke(2000, 10_000);
    assert.equal(findAgents([id]).get(id), agent, "the agent is still the same");
    await until(() => timers() <= before.timers, { timeoutMs: 30_000, message: "timers are left" });
    await until(async () => (await peer.connections()) === 0, { timeoutMs: 30_000 });
    for (const [name, count] of Object.entries(before.files))
      await until(async () => ((await openFiles(pids))[name] ?? 0) <= count, {
        message: `${name} keeps files open`,
      });
    const grownMiB = { agent: (await residentMiB(agent)) - agentMiB, node: heapMiB() - before.heapMiB };
    assert.ok(Math.max(...Object.values(grownMiB)) < SLACK_MIB, JSON.stringify(grownMiB));
  },
);

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

/** Files and sockets that processes have open, by their names. */
async function openFiles(pids: Readonly<Record<string, number>>): Promise<Readonly<Record<string, number>>> {
  const counts = Object.entries(pids).map(
    async ([name, pid]) => [name, (await readdir(`/proc/${pid}/fd`)).length] as const,
  );
  return Object.fromEntries(await Promise.all(counts));
}

/** What this process's heap and buffers hold, without garbage. */
function heapMiB(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
}
