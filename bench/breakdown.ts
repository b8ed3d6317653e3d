// `node scripts/with-node.mjs bench/breakdown.ts`: what the parts of a synchronous host call and of a trigger cost by
// themselves. Medians in µs; compare them with each other, not with those of another run.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { Kvm } from "@nats-io/kv";
import { createIpcLink } from "../src/agent-api/ipc-link.ts";
import { loadFunction } from "../src/functions/load-function.ts";
import type { HostServiceResult } from "../src/host-services/guest/host-services.ts";
import { connectToNats } from "../src/nats/connect.ts";
import { loadConfiguration } from "../src/node/configuration.ts";
import { createWorkloadServices } from "../src/node/workload-services.ts";
import type { Workload } from "../src/node/workload.ts";
import { startNats } from "../test/support/start-nats.ts";
import { summarize, timesUs } from "./statistics.ts";

const SMALL = new Uint8Array(64);
const CALLS = 20;

await measureFunction();
await measureHop();
await measureService();

function print(title: string, times: readonly number[], share = 1): void {
  console.log(`${title.padEnd(62)} ${(summarize(times).p50 / share).toFixed(1).padStart(7)} µs`);
}

/** The isolate alone: nothing leaves the process. */
async function measureFunction(): Promise<void> {
  const answer: HostServiceResult = { code: 200, message: "OK", body: SMALL };
  await using loaded = await loadFunction("v8", {
    name: "breakdown",
    source: Buffer.from(
      `(subject, payload) => { if (subject === "kv") for (let i = 0; i < ${CALLS}; i++) hostServices.kv.get("key"); return payload }`,
    ),
    environment: {},
    limits: { timeoutMs: 5000, memoryMiB: 64 },
    hostServices: { call: async () => answer, callBlocking: () => answer },
    log: () => {},
    onFatal: (reason) => {
      throw new Error(reason);
    },
  });
  for (const subject of ["echo", "kv"]) await timesUs(2000, async () => loaded.invoke(subject, SMALL));
  print("function: one invocation", await timesUs(3000, async () => loaded.invoke("echo", SMALL)));
  print(
    "function: one of its host calls",
    await timesUs(1000, async () => loaded.invoke("kv", SMALL)),
    CALLS,
  );
}

/** Between the processes: a bare socket, calls with their frames, and a kv.get with nothing of ours around it. */
async function measureHop(): Promise<void> {
  const child = fork(join(import.meta.dirname, "breakdown-agent.ts"), {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "pipe", "pipe", "pipe", "ipc"],
  });
  const [calls, bare, asking] = child.stdio.slice(3, 6) as unknown as [Duplex, Duplex, Duplex];
  await using nats = await startNats();
  const connection = await nats.connect();
  const bucket = await new Kvm(connection).create("breakdown");
  await bucket.put("key", SMALL);
  const link = createIpcLink(calls);
  const headers = { "x-nex-hs-code": "200", "x-nex-hs-msg": "OK" };
  link.handle("hostint.id.rpc.*.*.*.*", () => Promise.resolve({ headers, body: SMALL }));
  bare.on("data", (bytes: Buffer) => bare.write(bytes));
  connection.subscribe("answers", {
    callback: (_error, { data }) => {
      asking.write(data);
    },
  });
  asking.on("data", () => {
    connection.publish("$JS.API.DIRECT.GET.KV_breakdown.$KV.breakdown.key", "", { reply: "answers" });
  });
  const ways = [
    "agent to node and back: bare socket",
    "agent to node and back: a call",
    "agent to node to NATS and back: a bare kv.get",
  ];
  for (const title of ways) {
    const [times] = (await once(child, "message")) as [readonly number[]];
    print(title, times);
  }
  child.kill();
  await link.close();
}

/** The node's part: from the call's arrival to its answer, NATS included, beside the client library's. */
async function measureService(): Promise<void> {
  await using nats = await startNats();
  const connection = await connectToNats({ servers: nats.url, name: "breakdown" }, { forever: true });
  const configuration = await loadConfiguration(undefined, { no_sandbox: true });
  const owner = { namespace: "default", name: "kv" } as Workload;
  const services = createWorkloadServices(configuration, owner, {
    triggers: connection,
    hostServices: connection,
  });
  const bucket = await new Kvm(connection).create("hs_default_kv_kv");
  await bucket.put("key", SMALL);
  const call = { service: "kv", method: "get", headers: { "x-keyvalue-key": "key" }, body: SMALL };
  const serve = async (): Promise<void> => {
    using _invocation = services.invocation();
    await services.table.get("kv")?.(call);
  };
  const raw = async (): Promise<unknown> => bucket.get("key");
  for (const work of [raw, serve]) await timesUs(1000, work);
  print("NATS: kv.get of the client library", await timesUs(2000, raw));
  print("NATS: kv.get as the node serves it, limits included", await timesUs(2000, serve));
  await connection.close();
}
