// `npm run bench [-- --runs=5]`: what a trigger costs beside the raw NATS round trip of the same run, and what
// starting costs. Figures are medians over the runs with the smallest and largest run in brackets.
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { Kvm } from "@nats-io/kv";
import type { KV } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { agentMemory } from "./agent-memory.ts";
import type { ProcessMemory } from "./agent-memory.ts";
import { startOwnNode } from "./own-node.ts";
import type { OwnNode } from "./own-node.ts";
import { medianAndSpread, summarize, timesUs } from "./statistics.ts";
import type { Summary } from "./statistics.ts";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({ options: { runs: { type: "string", default: "5" } } });
const runs = Number(values.runs);

const SMALL = new Uint8Array(64).fill(0x61);
const LARGE = new Uint8Array(1024 * 1024 - 512).fill(0x61);
const SEQUENTIAL = 1500;
const PIPELINED = 8000;
const IN_FLIGHT = 64;
const KV_CALLS = 100;

interface Run {
  readonly raw: Summary;
  readonly js: Summary;
  readonly wasm: Summary;
  readonly rawPerSecond: number;
  readonly jsPerSecond: number;
  readonly rawLargeMs: number;
  readonly jsLargeMs: number;
  readonly rawKv: Summary;
  /** One of the synchronous calls that a function makes in a row. */
  readonly functionKv: Summary;
  readonly starts: Starts;
}

interface Starts {
  /** From the deploy's request to its answer. */
  readonly deployMs: number;
  /** From then to the answer of the first call. */
  readonly firstCallMs: number;
  readonly memory: ProcessMemory | undefined;
  readonly versionMs: number;
}

await using node = await startOwnNode({ machine_pool_size: 2 });
const echo = fork(join(import.meta.dirname, "raw-echo.ts"), [node.nats.url]);
await once(echo, "message");
try {
  console.log(
    `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, Node ${process.version}, nats-server ${node.nats.server.version}, ${runs} runs`,
  );
  const store = await prepare(node);
  await measure(node.connection, store, 0.3);
  const results: Run[] = [];
  for (let run = 0; run < runs; run++) {
    results.push({ ...(await measure(node.connection, store, 1)), starts: await measureStarts(node, run) });
    process.stderr.write(`run ${run + 1} of ${runs} done\n`);
  }
  print(results);
} finally {
  echo.kill();
}

/** Deploys what is measured, and gives the bucket that the function with host services uses. */
async function prepare(it: OwnNode): Promise<KV> {
  await it.deploy({
    name: "js",
    artifact: "(subject, payload) => payload",
    workloadType: "v8",
    triggerSubjects: ["bench.js"],
  });
  const wasm = await readFile(join(root, "examples/wasm/echofunction/echofunction.wasm"));
  await it.deploy({ name: "wasm", artifact: wasm, workloadType: "wasm", triggerSubjects: ["bench.wasm"] });
  await it.deploy({
    name: "kv",
    artifact: `() => { for (let i = 0; i < ${KV_CALLS}; i++) hostServices.kv.get("key"); }`,
    workloadType: "v8",
    triggerSubjects: ["bench.kv"],
  });
  const store = await new Kvm(it.connection).create("hs_default_kv_kv");
  await store.put("key", SMALL);
  return store;
}

async function measure(connection: NatsConnection, store: KV, share: number): Promise<Omit<Run, "starts">> {
  const count = Math.round(SEQUENTIAL * share);
  const pipelined = Math.round(PIPELINED * share);
  return {
    raw: summarize(await sequential(connection, "raw.echo", SMALL, count)),
    js: summarize(await sequential(connection, "bench.js", SMALL, count)),
    wasm: summarize(await sequential(connection, "bench.wasm", SMALL, count)),
    rawPerSecond: await throughput(connection, "raw.echo", pipelined),
    jsPerSecond: await throughput(connection, "bench.js", pipelined),
    rawLargeMs: summarize(await sequential(connection, "raw.echo", LARGE, 30)).p50 / 1000,
    rawKv: await kvGets(count, async () => {
      for (let i = 0; i < KV_CALLS; i++) await store.get("key");
    }),
    functionKv: await kvGets(count, async () => connection.request("bench.kv", "", { timeout: 10_000 })),
    jsLargeMs: summarize(await sequential(connection, "bench.js", LARGE, 30)).p50 / 1000,
  };
}

/** What one of `KV_CALLS` in a row takes, in µs. */
async function kvGets(count: number, work: () => Promise<unknown>): Promise<Summary> {
  return summarize((await timesUs((2 * count) / KV_CALLS, work)).map((all) => all / KV_CALLS));
}

/** Round trip times in µs of requests sent one at a time. */
async function sequential(
  connection: NatsConnection,
  subject: string,
  payload: Uint8Array,
  count: number,
): Promise<number[]> {
  return timesUs(count, async () => connection.request(subject, payload, { timeout: 10_000 }));
}

/** Requests per second with 64 in flight. */
async function throughput(connection: NatsConnection, subject: string, count: number): Promise<number> {
  let left = count;
  const start = performance.now();
  const worker = async (): Promise<void> => {
    while (left-- > 0) await connection.request(subject, SMALL, { timeout: 10_000 });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return (count * 1000) / (performance.now() - start);
}

async function measureStarts(it: OwnNode, run: number): Promise<Starts> {
  const name = `first${run}`;
  const location = await it.upload(name, "(subject, payload) => payload");
  const { nodeId } = it;
  const { public_xkey: nodeXkey } = await it.client.nodeInfo(nodeId);
  const start = performance.now();
  const { id } = await it.client.deploy({
    nodeId,
    nodeXkey,
    workloadName: name,
    workloadType: "v8",
    location,
    issuer: it.issuer,
    publisher: it.publisher,
    triggerSubjects: [`bench.${name}`],
  });
  const deployedAt = performance.now();
  await it.connection.request(`bench.${name}`, SMALL, { timeout: 10_000 });
  const firstCallMs = performance.now() - deployedAt;
  const memory = await agentMemory(id);
  await it.stop(id, name);
  const versionStart = performance.now();
  await promisify(execFile)(join(root, "bin", "nex"), ["version"]);
  const versionMs = performance.now() - versionStart;
  return { deployMs: deployedAt - start, firstCallMs, memory, versionMs };
}

function print(results: readonly Run[]): void {
  const line = (title: string, pick: (run: Run) => number, unit: string, digits = 0): void => {
    const text = medianAndSpread(results.map(pick), (value) => value.toFixed(digits));
    console.log(`${title.padEnd(46)} ${text} ${unit}`);
  };
  line("raw NATS request/reply, 64 B, p50", (run) => run.raw.p50, "µs");
  line("raw NATS request/reply, 64 B, p99", (run) => run.raw.p99, "µs");
  for (const [title, pick] of [
    ["JavaScript", (run: Run) => run.js],
    ["WebAssembly", (run: Run) => run.wasm],
  ] as const) {
    line(`${title} trigger, 64 B, p50`, (run) => pick(run).p50, "µs");
    line(`${title} trigger, 64 B, p50 to raw`, (run) => pick(run).p50 / run.raw.p50, "×", 2);
    line(`${title} trigger, 64 B, p99`, (run) => pick(run).p99, "µs");
    line(`${title} trigger, 64 B, p99 to raw`, (run) => pick(run).p99 / run.raw.p99, "×", 2);
  }
  line(`raw throughput, ${IN_FLIGHT} in flight`, (run) => run.rawPerSecond, "/s");
  line(`JavaScript throughput, ${IN_FLIGHT} in flight`, (run) => run.jsPerSecond, "/s");
  line("JavaScript throughput to raw", (run) => run.jsPerSecond / run.rawPerSecond, "×", 2);
  line("raw NATS request/reply, 1 MiB, p50", (run) => run.rawLargeMs, "ms", 2);
  line("JavaScript trigger, 1 MiB, p50", (run) => run.jsLargeMs, "ms", 2);
  line("JavaScript trigger, 1 MiB, over raw", (run) => run.jsLargeMs - run.rawLargeMs, "ms", 2);
  line(`raw kv.get, ${KV_CALLS} in a row, p50 of one`, (run) => run.rawKv.p50, "µs");
  line(`kv.get in a function, ${KV_CALLS} in a row, p50 of one`, (run) => run.functionKv.p50, "µs");
  line("kv.get in a function, p50 to raw", (run) => run.functionKv.p50 / run.rawKv.p50, "×", 2);
  line("deploy (warm pool) to its answer", (run) => run.starts.deployMs, "ms");
  line("first call after the deploy's answer", (run) => run.starts.firstCallMs, "ms", 1);
  line("deploy (warm pool) to first reply", (run) => run.starts.deployMs + run.starts.firstCallMs, "ms");
  line("memory of an idle function's agent, PSS", (run) => run.starts.memory?.pss ?? NaN, "MiB", 1);
  line("memory of an idle function's agent, its own", (run) => run.starts.memory?.own ?? NaN, "MiB", 1);
  line("nex version", (run) => run.starts.versionMs, "ms");
}
