// `npm run bench:neighbours [-- --runs=3 --requests=1000 --only=TITLE]`: what a quiet echo function notices of a hostile one on
// the same node. p50 and p99 of it, and of the raw NATS round trip of the same moment, each to what they were without neighbour.
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { TestDeploy } from "../test/support/deployer.ts";
import { HOSTILE_FUNCTIONS } from "./hostile-functions.ts";
import { startOwnNode } from "./own-node.ts";
import type { OwnNode } from "./own-node.ts";
import { medianAndSpread, summarize } from "./statistics.ts";
import type { Summary } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    requests: { type: "string", default: "1000" },
    only: { type: "string", default: "" },
  },
});
const runs = Number(values.runs);
const requests = Number(values.requests);
const HOSTILE_IN_FLIGHT = 2;
/** Until the neighbour is in its stride: instances added, agents that it lost started again. */
const SETTLE_MS = 2000;

interface Pair {
  readonly raw: Summary;
  readonly quiet: Summary;
}

await using node = await startOwnNode({ machine_pool_size: 2 });
const echo = await start("raw-echo.ts", node.nats.url);
try {
  console.log(
    `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, Node ${process.version}, nats-server ${node.nats.server.version}, ${runs} runs of ${requests} requests`,
  );
  await node.deploy({
    name: "quiet",
    artifact: "(subject, payload) => payload",
    workloadType: "v8",
    triggerSubjects: ["bench.quiet"],
  });
  await measure(node.nats.url);
  for (const [title, deploy] of Object.entries(HOSTILE_FUNCTIONS)) {
    if (title.startsWith(values.only)) print(title, await compare(node, deploy));
  }
} finally {
  echo.kill();
}

interface Comparison {
  readonly alone: Pair;
  readonly beside: Pair;
}

/** Alone, then beside the neighbour, alternately. */
async function compare(it: OwnNode, deploy: TestDeploy): Promise<Comparison[]> {
  const results: Comparison[] = [];
  for (let run = 0; run < runs; run++) {
    const alone = await measure(it.nats.url);
    const subject = `hostile.${deploy.name}.${run}`;
    const { id } = await it.deploy({ ...deploy, name: `${deploy.name}${run}`, triggerSubjects: [subject] });
    const asking = await start("keep-asking.ts", it.nats.url, subject, String(HOSTILE_IN_FLIGHT));
    try {
      await delay(SETTLE_MS);
      results.push({ alone, beside: await measure(it.nats.url) });
    } finally {
      asking.kill();
      // One that lost its agent has another id meanwhile.
      const { machines } = await it.client.nodeInfo(it.nodeId);
      const present = machines.find(({ workload }) => workload.name === `${deploy.name}${run}`);
      await it.stop(present?.id ?? id, `${deploy.name}${run}`).catch(() => {});
    }
  }
  return results;
}

/** Round trips to the raw echo and to the quiet function in turns, in µs. */
async function measure(url: string): Promise<Pair> {
  const child = fork(join(import.meta.dirname, "round-trips.ts"), [
    url,
    String(requests),
    "raw.echo",
    "bench.quiet",
  ]);
  const [message] = (await once(child, "message")) as [readonly number[][]];
  const [raw = [], quiet = []] = message;
  return { raw: summarize(raw), quiet: summarize(quiet) };
}

async function start(file: string, ...argv: readonly string[]): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, file), argv);
  await once(child, "message");
  return child;
}

function print(title: string, results: readonly Comparison[]): void {
  const line = (text: string, pick: (result: Comparison) => number, unit: string, digits: number): void =>
    console.log(
      `  ${text.padEnd(36)} ${medianAndSpread(results.map(pick), (value) => value.toFixed(digits))} ${unit}`,
    );
  console.log(title);
  for (const quantile of ["p50", "p99"] as const) {
    line(`function ${quantile} beside it`, ({ beside }) => beside.quiet[quantile], "µs", 0);
    line(
      `function ${quantile}, to alone`,
      ({ alone, beside }) => beside.quiet[quantile] / alone.quiet[quantile],
      "×",
      2,
    );
    line(
      `raw NATS ${quantile}, to alone`,
      ({ alone, beside }) => beside.raw[quantile] / alone.raw[quantile],
      "×",
      2,
    );
  }
}
