// `npm run bench:internal-nats [-- --counts=1,50,200]`: how long adding an agent to the internal NATS server takes beside
// others that are connected, and what an agent that is asked all the while notices of it; for each way in which the server
// can learn who may connect.
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type {
  InternalAgent,
  InternalAuthentication,
  InternalNats,
} from "../src/internal-nats/start-internal-nats.ts";
import { lacksAuthentication, startTestInternalNats } from "../test/support/internal-nats.ts";
import { medianAndSpread, summarize } from "./statistics.ts";

const { values } = parseArgs({ options: { counts: { type: "string", default: "1,50,200" } } });
const counts = values.counts.split(",").map(Number);
const ADDITIONS = 15;
const NOTHING = new Uint8Array(0);

interface Connected {
  readonly id: string;
  readonly agent: InternalAgent;
  /** How long it took until the agent could connect, and until it had. */
  readonly addMs: number;
  readonly connectMs: number;
}

/** Adds an agent, which connects in the process `home`. */
async function addConnected(nats: InternalNats, home: ChildProcess, id: string): Promise<Connected> {
  const start = performance.now();
  const agent = await nats.addAgent(id);
  const addMs = performance.now() - start;
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const listen = (message: unknown): void => {
    if (message === id) resolve();
  };
  home.on("message", listen);
  home.send({ id, host: nats.host, port: nats.port, nkeySeed: agent.nkeySeed });
  await connected;
  home.off("message", listen);
  return { id, agent, addMs, connectMs: performance.now() - start };
}

async function ping({ id, agent }: Connected): Promise<number> {
  const start = performance.now();
  await agent.link.request(`agentint.${id}.ping`, NOTHING, { timeoutMs: 10_000 });
  return performance.now() - start;
}

/** Round trips of one agent while `work` is done, and how many failed. */
async function watch(
  asked: Connected,
  work: () => Promise<void>,
): Promise<{ readonly times: readonly number[]; readonly errors: number }> {
  const done = new AbortController();
  const times: number[] = [];
  let errors = 0;
  const ask = async (): Promise<void> => {
    while (!done.signal.aborted) {
      try {
        times.push(await ping(asked));
      } catch {
        errors += 1;
      }
    }
  };
  const asking = ask();
  await work();
  done.abort();
  await asking;
  return { times, errors };
}

async function measure(authentication: InternalAuthentication): Promise<void> {
  await using nats = await startTestInternalNats(authentication);
  await using stack = new AsyncDisposableStack();
  const [ownHome, home] = [startAgents(stack), startAgents(stack)];
  const first = await addConnected(nats, ownHome, "first");
  let connected = 1;
  for (const count of counts) {
    while (connected < count) {
      const ids = Array.from(
        { length: Math.min(20, count - connected) },
        (_, index) => `agent${connected + index}`,
      );
      connected += ids.length;
      await Promise.all(ids.map(async (id) => addConnected(nats, home, id)));
    }
    const idle = await watch(first, () => new Promise((resolve) => setTimeout(resolve, 500)));
    const added: Connected[] = [];
    const meanwhile = await watch(first, async () => {
      for (let index = 0; index < ADDITIONS; index += 1) {
        const extra = await addConnected(nats, home, `extra${count}x${index}`);
        added.push(extra);
        await extra.agent[Symbol.asyncDispose]();
      }
    });
    const [before, during] = [summarize(idle.times), summarize(meanwhile.times)];
    console.log(
      [
        `${authentication}, ${connected} agents connected: add one ${medianAndSpread(
          added.map(({ addMs }) => addMs),
          ms,
        )}`,
        `add and connect ${medianAndSpread(
          added.map(({ connectMs }) => connectMs),
          ms,
        )}`,
        `another's round trip p50/p99 ${ms(before.p50)}/${ms(before.p99)} idle, ${ms(during.p50)}/${ms(during.p99)} meanwhile, ${meanwhile.times.length} requests, ${meanwhile.errors} errors`,
      ].join("; "),
    );
  }
}

function startAgents(stack: AsyncDisposableStack): ChildProcess {
  const child = fork(join(import.meta.dirname, "internal-nats-agents.ts"));
  child.setMaxListeners(0);
  stack.defer(() => void child.kill());
  return child;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, Node ${process.version}, ${ADDITIONS} additions each`,
);
for (const authentication of ["reload", "callout"] as const) {
  const lack = await lacksAuthentication(authentication);
  if (lack === undefined) await measure(authentication);
  else console.log(`${authentication}: skipped, ${lack}`);
}
