// `npm run fuzz [-- MESSAGES [SEED]]`: a million random and mutated messages to a node and its agents.
import { parseArgs } from "node:util";
import { fuzzAgent } from "./fuzz-agent.ts";
import { fuzzControl } from "./fuzz-control.ts";
import type { FuzzReport } from "./fuzz-control.ts";
import { fuzzFromAgent } from "./fuzz-from-agent.ts";
import { RandomSource } from "./random-source.ts";
import { SURVIVOR_SUBJECT, startFuzzNode } from "./start-fuzz-node.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const messages = Number(positionals[0] ?? 1_000_000);
const seed = Number(positionals[1] ?? Date.now() % 1_000_000);
console.log(`${messages} messages, seed ${seed}`);

await stage("control, event and log subjects", async () => {
  await using node = await startFuzzNode();
  const report = fuzzControl({
    connection: node.connection,
    target: node.target,
    survivorSubject: SURVIVOR_SUBJECT,
    pid: node.nex.pid,
    messages: Math.round(messages * 0.8),
    random: new RandomSource(seed),
    onProgress: (sent, residentMiB) => console.log(`  ${sent} sent, ${residentMiB.toFixed(0)} MiB`),
  });
  report.catch(() => console.error(node.nex.stderr().slice(-4000)));
  return await report;
});
await stage("an agent's messages to its node", () => fuzzFromAgent(Math.round(messages * 0.1), seed));
await stage("a node's messages to an agent", () =>
  fuzzAgent(Math.round(messages * 0.1), new RandomSource(seed)),
);

async function stage(title: string, run: () => Promise<FuzzReport>): Promise<void> {
  const start = performance.now();
  const { sent, replies, residentBeforeMiB, residentAfterMiB } = await run();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `✔ ${title}: ${sent} sent, ${replies} answers, ${seconds} s, resident memory ${residentBeforeMiB.toFixed(0)} MiB before, ${residentAfterMiB.toFixed(0)} MiB after`,
  );
}
