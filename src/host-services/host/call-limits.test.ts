import assert from "node:assert/strict";
import { test } from "node:test";
import { limitService } from "./call-limits.ts";
import type { CallLimits } from "./call-limits.ts";
import { succeeded } from "./host-services.ts";

const LIMITS: CallLimits = {
  timeoutMs: 1000,
  maxBodyBytes: 10,
  maxConcurrentCalls: 2,
  maxCallsPerInvocation: 0,
};
const call = (body = ""): Parameters<ReturnType<typeof limitService>["call"]>[0] => ({
  service: "kv",
  method: "get",
  headers: {},
  body: Buffer.from(body),
});

test("LimitedService does so many calls at the same time and lets the others wait in their order", async () => {
  const running: PromiseWithResolvers<void>[] = [];
  const done: string[] = [];
  const service = limitService(async ({ body }) => {
    const turn = Promise.withResolvers<void>();
    running.push(turn);
    await turn.promise;
    done.push(Buffer.from(body).toString());
    return succeeded({});
  }, LIMITS);
  const calls = ["a", "b", "c", "d"].map(async (body) => service.call(call(body)));
  for (let index = 0; index < 4; index++) {
    while (running.length <= index) await new Promise(setImmediate);
    assert.ok(running.length <= index + 2);
    running[index]?.resolve();
  }
  await Promise.all(calls);
  assert.deepEqual(done, ["a", "b", "c", "d"]);
});

test("LimitedService ends a call at its time, also one that waits for its place, and keeps its places", async () => {
  const limits = { ...LIMITS, timeoutMs: 20, maxConcurrentCalls: 1 };
  let stuck = true;
  const service = limitService(async (_call, { signal }) => {
    if (!stuck) return succeeded({});
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => reject(signal.reason));
    return promise;
  }, limits);
  const first = service.call(call());
  const second = service.call(call());
  await assert.rejects(first, /no answer within 20 ms/);
  await assert.rejects(second, (error: Error) =>
    /too many concurrent calls|no answer within 20 ms/.test(error.message),
  );
  stuck = false;
  for (let index = 0; index < 3; index++) assert.equal((await service.call(call())).code, 200);
});

test("LimitedService refuses bodies that are too large before they reach the service", async () => {
  const service = limitService(async () => succeeded({}), LIMITS);
  await assert.rejects(service.call(call("12345678901")), { status: 413 });
  assert.equal((await service.call(call("1234567890"))).code, 200);
});

test("LimitedService counts the calls of an invocation, and of several together", async () => {
  const service = limitService(async () => succeeded({}), { ...LIMITS, maxCallsPerInvocation: 2 });
  const take = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) await service.call(call());
  };
  const refused = async (): Promise<void> => assert.rejects(service.call(call()), { status: 429 });
  for (let round = 0; round < 3; round++) {
    service.enter();
    await take(2);
    await refused();
    service.leave();
  }
  service.enter();
  service.enter();
  await take(4);
  await refused();
  service.leave();
  await take(0);
  service.leave();
  service.enter();
  await take(2);
  await refused();
});
