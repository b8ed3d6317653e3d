/** Workloads in virtual machines beside the same ones without a sandbox, and raw NATS. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RequestError } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import type { TestNats } from "../test/support/start-nats.ts";
import type { TestDeploy } from "../test/support/deployer.ts";
import type { TestNode } from "../test/support/start-test-node.ts";
import { quantile, summarize } from "./statistics.ts";
import { line, progress } from "./vm-report.ts";

export interface WorkloadBench {
  readonly nats: TestNats;
  readonly runs: number;
  /** Of the driver. */
  readonly name: string;
  /** A node without a sandbox. */
  readonly none: TestNode;
  /** A node with virtual machines. */
  readonly machines: TestNode;
}

type Kind = "native" | "JavaScript" | "WebAssembly";

const KINDS: readonly Kind[] = ["native", "JavaScript", "WebAssembly"];
const PAYLOAD = new Uint8Array(64).fill(0x61);
const REQUESTS = 300;
/** The first replies are slower: not only code that is not compiled yet. */
const WARM_UP = 30;
const REPLY_MS = 20_000;
const GATEWAY = "192.168.127.1";
const EXAMPLES = join(import.meta.dirname, "..", "examples");

interface Result {
  readonly deployMs: number;
  readonly firstMs: number;
  readonly p50: number;
  readonly p99: number;
}

/** Runs each kind on one node after the other, so that the machine is in the same mood for both. */
export async function measureWorkloads(bench: WorkloadBench): Promise<void> {
  const { nats, runs, name, none, machines } = bench;
  const raw: number[] = [];
  const results = new Map(KINDS.map((kind) => [kind, new Map<string, Result[]>()]));
  const client = await nats.connect();
  for (let run = 0; run < runs; run += 1) {
    for (const [kind, byNode] of results) {
      raw.push(summarize(await roundTrips(client, "raw.echo")).p50);
      for (const [where, node, natsHost] of [
        ["no sandbox", none, "127.0.0.1"],
        [name, machines, GATEWAY],
      ] as const) {
        const result = await measure(node, kind, { natsHost, run });
        byNode.set(where, [...(byNode.get(where) ?? []), result]);
      }
      progress(`${name}: run ${run + 1} of ${runs}, ${kind} done`);
    }
  }
  line("raw NATS request/reply, 64 B, p50", raw, "µs");
  const rawP50 = quantile(raw, 0.5);
  for (const [kind, byNode] of results) {
    for (const [where, list] of byNode) {
      const report = (title: string, pick: (result: Result) => number, unit: string, digits = 0): void =>
        line(`${kind}, ${where}: ${title}`, list.map(pick), unit, digits);
      report("deploy to first reply", ({ firstMs }) => firstMs, "ms");
      report("deploy, of that", ({ deployMs }) => deployMs, "ms");
      report("request/reply, 64 B, p50", ({ p50 }) => p50 / 1000, "ms", 2);
      report("request/reply, 64 B, p99", ({ p99 }) => p99 / 1000, "ms", 2);
      report("request/reply, p50 to raw", ({ p50 }) => p50 / rawP50, "×", 1);
    }
  }
}

/** Deploys to a node whose pool is full, asks, waits until the pool is full again, and asks many times. */
async function measure(
  node: TestNode,
  kind: Kind,
  { natsHost, run }: { readonly natsHost: string; readonly run: number },
): Promise<Result> {
  const { subject, order } = await workload(kind, `${natsHost}:${node.nats.port}`);
  const name = `${order.name}${run}`;
  await fullPool(node);
  const start = performance.now();
  const { id } = await node.deploy({ ...order, name });
  const deployMs = performance.now() - start;
  await untilAnswered(node.connection, subject);
  const firstMs = performance.now() - start;
  await fullPool(node);
  await roundTrips(node.connection, subject, WARM_UP);
  const { p50, p99 } = summarize(await roundTrips(node.connection, subject));
  await node.stop(id, name);
  await untilGone(node.connection, subject);
  return { deployMs, firstMs, p50, p99 };
}

async function workload(
  kind: Kind,
  nats: string,
): Promise<{ readonly subject: string; readonly order: TestDeploy }> {
  switch (kind) {
    case "native": {
      const program = join(EXAMPLES, "services/echoservice/bin", `linux-${process.arch}`, "echoservice");
      const environment = { NATS_URL: `nats://${nats}` };
      return {
        subject: "svc.echo",
        order: { name: "native", artifact: await readFile(program), environment },
      };
    }
    case "JavaScript":
      return {
        subject: "bench.js",
        order: {
          name: "js",
          workloadType: "v8",
          artifact: "(subject, payload) => payload",
          triggerSubjects: ["bench.js"],
        },
      };
    case "WebAssembly": {
      const module = join(EXAMPLES, "wasm/echofunction/echofunction.wasm");
      return {
        subject: "bench.wasm",
        order: {
          name: "wasm",
          workloadType: "wasm",
          artifact: await readFile(module),
          triggerSubjects: ["bench.wasm"],
        },
      };
    }
  }
}

/** Resolves once a machine waits: more were warmed up than got a workload. */
async function fullPool({ logs }: TestNode): Promise<void> {
  const count = (text: string): number => logs.filter(({ message }) => message === text).length;
  const added = (): number =>
    count("Adding new agent process to warm pool") + count("Adding new VM to warm pool");
  while (added() <= count("Workload deployed")) await delay(20);
}

/** Round trip times in µs of requests sent one at a time. */
async function roundTrips(connection: NatsConnection, subject: string, count = REQUESTS): Promise<number[]> {
  const times: number[] = [];
  for (let request = 0; request < count; request += 1) {
    const start = performance.now();
    await connection.request(subject, PAYLOAD, { timeout: REPLY_MS });
    times.push((performance.now() - start) * 1000);
  }
  return times;
}

/** A program subscribes when it is ready, which is some time after it was started. */
async function untilAnswered(connection: NatsConnection, subject: string): Promise<void> {
  while (!(await isAnswered(connection, subject))) await delay(2);
}

async function untilGone(connection: NatsConnection, subject: string): Promise<void> {
  while (await isAnswered(connection, subject)) await delay(20);
}

async function isAnswered(connection: NatsConnection, subject: string): Promise<boolean> {
  try {
    await connection.request(subject, PAYLOAD, { timeout: REPLY_MS });
    return true;
  } catch (error) {
    if (error instanceof RequestError && error.isNoResponders()) return false;
    throw error;
  }
}
