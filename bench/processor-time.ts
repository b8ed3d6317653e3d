// `node scripts/with-node.mjs bench/processor-time.ts` (Linux): the processor time that a trigger, 64 of them in flight, and a
// synchronous kv.get take of each process, as the kernel counts it (`/proc/PID/task/*/schedstat`). Less noisy than times.
import { readFile, readdir } from "node:fs/promises";
import { Kvm } from "@nats-io/kv";
import { findAgents } from "../test/support/marked-processes.ts";
import { startOwnNode } from "./own-node.ts";
import type { OwnNode } from "./own-node.ts";
import { medianAndSpread } from "./statistics.ts";

const ROUNDS = 9;
const TRIGGERS = 10_000;
const IN_FLIGHT = 64;
const KV_CALLS = 1000;
const KV_INVOCATIONS = 5;
const SMALL = new Uint8Array(64).fill(0x61);

interface Kind {
  readonly title: string;
  readonly source: string;
  /** Does it `count` times. */
  readonly count: number;
  readonly run: (it: OwnNode, subject: string) => Promise<void>;
}

const KINDS: readonly Kind[] = [
  {
    title: `JavaScript trigger, ${IN_FLIGHT} in flight`,
    source: "(subject, payload) => payload",
    count: TRIGGERS,
    run: async (it, subject) => {
      let left = TRIGGERS;
      const worker = async (): Promise<void> => {
        while (left-- > 0) await it.connection.request(subject, SMALL, { timeout: 10_000 });
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    },
  },
  {
    title: "kv.get in a function",
    source: `() => { for (let i = 0; i < ${KV_CALLS}; i++) hostServices.kv.get("key") }`,
    count: KV_INVOCATIONS * KV_CALLS,
    run: async (it, subject) => {
      for (let i = 0; i < KV_INVOCATIONS; i++) await it.connection.request(subject, "", { timeout: 30_000 });
    },
  },
];

await using node = await startOwnNode({});
const store = await new Kvm(node.connection).create("hs_default_time1_kv");
await store.put("key", SMALL);
for (const [index, kind] of KINDS.entries()) await measure(kind, `time${index}`);

async function measure({ title, source, count, run }: Kind, name: string): Promise<void> {
  const subject = `bench.${name}`;
  const { id } = await node.deploy({
    name,
    artifact: source,
    workloadType: "v8",
    triggerSubjects: [subject],
  });
  const agent = findAgents([id]).get(id);
  if (agent === undefined) throw new Error("the agent is not among the processes");
  const pids = { node: node.pid, agent, "nats-server": node.nats.server.pid, client: process.pid };
  for (let i = 0; i < 3; i++) await run(node, subject);
  const times = new Map<string, number[]>(Object.keys(pids).map((process) => [process, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const before = await Promise.all(Object.values(pids).map(processorTimeUs));
    await run(node, subject);
    const after = await Promise.all(Object.values(pids).map(processorTimeUs));
    for (const [at, list] of [...times.values()].entries())
      list.push(((after[at] ?? NaN) - (before[at] ?? NaN)) / count);
  }
  for (const [process, list] of times)
    console.log(
      `${title}, ${process}`.padEnd(50),
      medianAndSpread(list, (us) => us.toFixed(1)),
      "µs",
    );
  await node.stop(id, name);
}

/** Of all its threads that have not ended. */
async function processorTimeUs(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const texts = await Promise.all(
    threads.map(async (thread) =>
      readFile(`/proc/${pid}/task/${thread}/schedstat`, "latin1").catch(() => ""),
    ),
  );
  return texts.reduce((sum, text) => sum + Number(text.split(" ")[0]) / 1000, 0);
}
