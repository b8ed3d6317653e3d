import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../lib/logger.ts";
import { InvocationQueue, MAX_IN_FLIGHT } from "./invocation-queue.ts";
import type { Instance, InvocationQueueOptions } from "./invocation-queue.ts";
import type { TriggerOutcome } from "./triggers.ts";

/** An agent whose invocations are settled by hand, in the order in which they came. */
class ManualRunner {
  isReachable = true;
  readonly received: string[] = [];
  readonly #running: ((outcome: TriggerOutcome) => void)[] = [];

  readonly trigger = (subject: string): Promise<TriggerOutcome> => {
    this.received.push(subject);
    return new Promise((resolve) => this.#running.push(resolve));
  };

  async settle(runtimeNs: number): Promise<void> {
    this.#running.shift()?.({ kind: "succeeded", body: new Uint8Array(0), runtimeNs });
    await turn();
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const TINY_NS = 10_000;
const SHORT_NS = 250_000;
const LONG_NS = 50_000_000;

/** A queue whose instances are added by hand: what is asked for is in `asked`. */
function manualQueue(options: Partial<InvocationQueueOptions> = {}) {
  const primary = new ManualRunner();
  const asked: PromiseWithResolvers<Instance | undefined>[] = [];
  let onAsked = (): void => {};
  const queue = new InvocationQueue({
    primary,
    concurrency: 3,
    addInstance: () => {
      const request = Promise.withResolvers<Instance | undefined>();
      asked.push(request);
      onAsked();
      return request.promise;
    },
    asksOthers: () => false,
    idleMs: 60_000,
    logger: silentLogger,
    ...options,
  });
  const untilAsked = async (count: number): Promise<void> => {
    while (asked.length < count) await new Promise<void>((resolve) => (onAsked = resolve));
  };
  const add = async (): Promise<ManualInstance> => {
    const instance = manualInstance();
    asked.at(-1)?.resolve(instance);
    await turn();
    return instance;
  };
  return { queue, primary, asked, untilAsked, add };
}

interface ManualInstance extends Instance {
  readonly runner: ManualRunner;
  readonly ends: { count: number };
  lose(): Promise<void>;
}

function manualInstance(): ManualInstance {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const runner = new ManualRunner();
  const ends = { count: 0 };
  return {
    runner,
    ended,
    ends,
    end: async () => {
      ends.count += 1;
      resolve();
    },
    lose: async () => {
      runner.isReachable = false;
      resolve();
      await turn();
    },
  };
}

function send(queue: InvocationQueue, ...subjects: string[]): Promise<TriggerOutcome>[] {
  return subjects.map(async (subject) => queue.invoke(subject, new Uint8Array(0)));
}

test("InvocationQueue gives long invocations to an agent one at a time, in their order", async () => {
  const { queue, primary } = manualQueue({ addInstance: async () => undefined });
  void send(queue, "a", "b", "c");
  assert.deepEqual(primary.received, ["a"]);
  await primary.settle(LONG_NS);
  assert.deepEqual(primary.received, ["a", "b"]);
  await primary.settle(LONG_NS);
  assert.deepEqual(primary.received, ["a", "b", "c"]);
  await queue.close();
});

test("InvocationQueue gives short invocations to an agent ahead, until one is long", async () => {
  const { queue, primary } = manualQueue({ addInstance: async () => undefined });
  void send(queue, "first");
  await primary.settle(TINY_NS);
  const many = Array.from({ length: MAX_IN_FLIGHT + 20 }, (_, index) => `m${index}`);
  void send(queue, ...many);
  assert.equal(primary.received.length, 1 + MAX_IN_FLIGHT);
  await primary.settle(LONG_NS);
  assert.equal(primary.received.length, 1 + MAX_IN_FLIGHT, "nothing more before the agent is idle");
  for (let left = MAX_IN_FLIGHT - 1; left > 0; left -= 1) await primary.settle(LONG_NS);
  assert.equal(primary.received.length, 2 + MAX_IN_FLIGHT);
  await queue.close();
});

test("InvocationQueue keeps invocations back once the one that runs may need them", async () => {
  const { queue, primary, untilAsked, add } = manualQueue({ asksOthers: () => true });
  void send(queue, "first");
  await primary.settle(SHORT_NS);
  void send(queue, "outer", "inner");
  assert.deepEqual(primary.received, ["first", "outer"]);
  await untilAsked(1);
  const instance = await add();
  assert.deepEqual(instance.runner.received, ["inner"]);
  await queue.close();
});

test("InvocationQueue with a concurrency of one keeps nothing back and asks for no instance", async () => {
  const { queue, primary, asked } = manualQueue({ concurrency: 1 });
  void send(queue, ...Array.from({ length: MAX_IN_FLIGHT + 8 }, (_, index) => `m${index}`));
  assert.equal(primary.received.length, MAX_IN_FLIGHT);
  await primary.settle(LONG_NS);
  assert.equal(primary.received.length, MAX_IN_FLIGHT + 1);
  assert.equal(asked.length, 0);
  await queue.close();
});

test("InvocationQueue gives tiny invocations to the primary only, as long as it gets on", async () => {
  const { queue, primary, untilAsked, add } = manualQueue({ concurrency: 2 });
  void send(queue, "a", "b");
  await untilAsked(1);
  const instance = await add();
  await instance.runner.settle(TINY_NS);
  await primary.settle(TINY_NS);
  const many = Array.from({ length: MAX_IN_FLIGHT + 20 }, (_, index) => `m${index}`);
  void send(queue, ...many);
  assert.equal(primary.received.length, 1 + MAX_IN_FLIGHT);
  assert.deepEqual(instance.runner.received, ["b"]);
  await primary.settle(TINY_NS);
  assert.equal(primary.received.length, 2 + MAX_IN_FLIGHT);
  assert.deepEqual(instance.runner.received, ["b"]);
  // Now the primary hangs.
  while (instance.runner.received.length === 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(instance.runner.received.length, 1 + 19);
  await queue.close();
});

test("InvocationQueue adds instances while invocations wait, up to its concurrency", async () => {
  const { queue, primary, asked, untilAsked, add } = manualQueue();
  void send(queue, "a", "b", "c", "d");
  await untilAsked(1);
  const second = await add();
  assert.deepEqual(second.runner.received, ["b"]);
  await untilAsked(2);
  const third = await add();
  assert.deepEqual(third.runner.received, ["c"]);
  await second.runner.settle(LONG_NS);
  assert.deepEqual(second.runner.received, ["b", "d"]);
  for (const { runner } of [second, third]) await runner.settle(LONG_NS);
  await primary.settle(LONG_NS);
  assert.equal(asked.length, 2);
  void send(queue, "e");
  assert.deepEqual(primary.received, ["a", "e"], "with all of them free it is the primary");
  await queue.close();
  assert.deepEqual([second.ends.count, third.ends.count], [1, 1]);
});

test("InvocationQueue asks again when there was no instance to be had", async () => {
  const { queue, asked, untilAsked, add } = manualQueue();
  void send(queue, "a", "b");
  await untilAsked(1);
  asked[0]?.resolve(undefined);
  await untilAsked(2);
  const instance = await add();
  assert.deepEqual(instance.runner.received, ["b"]);
  await queue.close();
});

test("InvocationQueue passes over an instance that is gone, and replaces it when it is needed", async () => {
  const { queue, primary, untilAsked, add } = manualQueue({ concurrency: 2 });
  void send(queue, "a", "b");
  await untilAsked(1);
  const instance = await add();
  instance.runner.isReachable = false;
  await instance.runner.settle(LONG_NS);
  void send(queue, "c");
  assert.deepEqual(instance.runner.received, ["b"]);
  await instance.lose();
  await untilAsked(2);
  const other = await add();
  assert.deepEqual(other.runner.received, ["c"]);
  assert.deepEqual(primary.received, ["a"]);
  await queue.close();
  assert.equal(instance.ends.count, 0, "it has ended by itself");
});

test("InvocationQueue asks the primary for the reason when no agent can be reached", async () => {
  const { queue, primary } = manualQueue();
  primary.isReachable = false;
  void send(queue, "a", "b");
  assert.deepEqual(primary.received, ["a", "b"]);
  await queue.close();
});

test("InvocationQueue gives up what has nothing to do, and an instance that comes too late", async () => {
  const { queue, primary, asked, untilAsked, add } = manualQueue({ idleMs: 1 });
  void send(queue, "a", "b");
  await untilAsked(1);
  const instance = await add();
  await instance.runner.settle(LONG_NS);
  await instance.ended;
  assert.equal(instance.ends.count, 1);
  void send(queue, "c");
  await untilAsked(2);
  const closing = queue.close();
  const late = manualInstance();
  asked[1]?.resolve(late);
  await closing;
  assert.equal(late.ends.count, 1);
  assert.deepEqual(primary.received, ["a"]);
});
