// `npm run bench:internal-nats [-- --counts=1,50,200]`: how long adding an agent to the internal NATS server takes beside
// others that are connected, and what an agent that is asked all the while notices of it.
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { connectNetworkLink } from "../src/agent/network-link.ts";
import type { Link } from "../src/agent-api/link.ts";
import type { InternalAgent } from "../src/internal-nats/start-internal-nats.ts";
import { startTestInternalNats } from "../test/support/internal-nats.ts";
import { medianAndSpread, summarize } from "./statistics.ts";

const { values } = parseArgs({ options: { counts: { type: "string", default: "1,50,200" } } });
const counts = values.counts.split(",").map(Number);
const ADDITIONS = 15;
const NOTHING = new Uint8Array(0);

await using nats = await startTestInternalNats();
await using stack = new AsyncDisposableStack();
let last = 0;

async function addConnected(): Promise<{
  readonly id: string;
  readonly agent: InternalAgent;
  readonly link: Link;
}> {
  const id = `agent${(last += 1)}`;
  const agent = await nats.addAgent(id);
  const { host, port } = nats;
  const link = await connectNetworkLink({ id, host, port, nkeySeed: agent.nkeySeed });
  link.handle(`agentint.${id}.ping`, () => ({}));
  return { id, agent, link };
}

async function ping({ id, agent }: Awaited<ReturnType<typeof addConnected>>): Promise<number> {
  const start = performance.now();
  await agent.link.request(`agentint.${id}.ping`, NOTHING, { timeoutMs: 10_000 });
  return performance.now() - start;
}

/** Round trips of one agent until stopped, and how many failed. */
function watch(first: Awaited<ReturnType<typeof addConnected>>): {
  stop(): Promise<{ readonly times: number[]; readonly errors: number }>;
} {
  const done = new AbortController();
  const run = async (): Promise<{ times: number[]; errors: number }> => {
    const times: number[] = [];
    let errors = 0;
    while (!done.signal.aborted) {
      try {
        times.push(await ping(first));
      } catch {
        errors += 1;
      }
    }
    return { times, errors };
  };
  const running = run();
  return {
    stop: () => {
      done.abort();
      return running;
    },
  };
}

console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, Node ${process.version}, ${ADDITIONS} additions each`,
);
const first = await addConnected();
stack.use(first.link);
for (const count of counts) {
  for (let missing = count - last; missing > 0; missing -= 20) {
    const batch = Array.from({ length: Math.min(20, missing) }, () => addConnected());
    for (const { link } of await Promise.all(batch)) stack.use(link);
  }
  const idle = watch(first);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = summarize((await idle.stop()).times);
  const watching = watch(first);
  const added: number[] = [];
  for (let index = 0; index < ADDITIONS; index += 1) {
    const start = performance.now();
    const agent = await nats.addAgent(`extra${count}x${index}`);
    added.push(performance.now() - start);
    await agent[Symbol.asyncDispose]();
  }
  const { times, errors } = await watching.stop();
  const meanwhile = summarize(times);
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  console.log(
    `${count} agents connected: add one ${medianAndSpread(added, ms)}; another's round trip p50/p99 ${ms(before.p50)}/${ms(before.p99)} idle, ${ms(meanwhile.p50)}/${ms(meanwhile.p99)} meanwhile, ${times.length} requests, ${errors} errors`,
  );
}
