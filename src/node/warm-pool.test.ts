import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../lib/logger.ts";
import { WarmPool } from "./warm-pool.ts";

/** A pool of numbers whose starts are settled by hand. */
function manualPool(size: number) {
  const starts: PromiseWithResolvers<number>[] = [];
  const surplus: number[] = [];
  const pool = new WarmPool<number>({
    size,
    start: (signal) => {
      const start = Promise.withResolvers<number>();
      signal.addEventListener("abort", () => start.reject(new Error("closing")));
      starts.push(start);
      return start.promise;
    },
    onSurplus: (item) => surplus.push(item),
    logger: silentLogger,
  });
  const settle = async (index: number): Promise<void> => {
    starts[index]?.resolve(index);
    await turn();
  };
  return { pool, starts, surplus, settle };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("WarmPool opens with one item and then fills up to its size", async () => {
  const { pool, starts, settle } = manualPool(2);
  const opened = pool.open();
  await settle(0);
  await opened;
  assert.equal(pool.idleCount, 1);
  assert.equal(starts.length, 2);
  await settle(1);
  assert.equal(pool.idleCount, 2);
  assert.equal(starts.length, 2);
  await pool.close();
});

test("WarmPool hands an item to one taker and starts a replacement once it is kept", async () => {
  const { pool, starts, settle } = manualPool(1);
  const opened = pool.open();
  await settle(0);
  await opened;
  assert.equal(await pool.take(1000), 0);
  assert.equal(starts.length, 1);
  pool.keep(0);
  pool.keep(0);
  assert.equal(starts.length, 2);
  const waiting = pool.take(60_000);
  await settle(1);
  assert.equal(await waiting, 1);
  await pool.close();
});

test("WarmPool starts nothing for an item that is given back, which goes to who waits for one", async () => {
  const { pool, starts, settle } = manualPool(1);
  const opened = pool.open();
  await settle(0);
  await opened;
  assert.equal(await pool.take(1000), 0);
  pool.putBack(0);
  assert.deepEqual([pool.idleCount, starts.length], [1, 1]);
  assert.equal(await pool.take(1000), 0);
  const waiting = pool.take(60_000);
  assert.equal(starts.length, 2, "for who waits");
  pool.putBack(0);
  assert.equal(await waiting, 0);
  await settle(1);
  assert.equal(pool.idleCount, 1);
  pool.keep(0);
  assert.equal(starts.length, 2, "the one that was started has taken its place");
  await pool.close();
});

test("WarmPool lets go of what is given back while it is full", async () => {
  const { pool, surplus, settle } = manualPool(1);
  const opened = pool.open();
  await settle(0);
  await opened;
  assert.equal(await pool.take(1000), 0);
  const waiting = pool.take(60_000);
  pool.putBack(0);
  assert.equal(await waiting, 0);
  await settle(1);
  assert.deepEqual([pool.idleCount, surplus], [1, []]);
  pool.putBack(0);
  assert.deepEqual([pool.idleCount, surplus], [1, [0]]);
  await pool.close();
});

test("WarmPool replaces an item that ends before its taker has decided", async () => {
  const { pool, starts, settle } = manualPool(1);
  const opened = pool.open();
  await settle(0);
  await opened;
  await pool.take(1000);
  pool.remove(0);
  assert.equal(starts.length, 2);
  await settle(1);
  assert.deepEqual([pool.idleCount, starts.length], [1, 2]);
  await pool.close();
});

test("WarmPool gives an idle item to who can do without, none of those that takers wait for, and refills", async () => {
  const { pool, starts, settle } = manualPool(1);
  const opened = pool.open();
  await settle(0);
  await opened;
  assert.equal(pool.takeIdle(), 0);
  assert.equal(starts.length, 2);
  assert.equal(pool.takeIdle(), undefined);
  const taken = pool.take(1000);
  await settle(1);
  assert.equal(pool.takeIdle(), undefined);
  assert.equal(await taken, 1);
  await pool.close();
});

test("WarmPool serves waiting takers first come first served", async () => {
  const { pool, settle } = manualPool(1);
  const opened = pool.open();
  const taken = [pool.take(60_000), pool.take(60_000)];
  await settle(0);
  await opened;
  await settle(1);
  assert.deepEqual(await Promise.all(taken), [0, 1]);
  await settle(2);
  await pool.close();
});

test("WarmPool refuses a taker after its wait, with the reason of the failed start", async () => {
  const { pool, starts } = manualPool(1);
  const opened = pool.open();
  starts[0]?.reject(new Error("no memory"));
  await assert.rejects(opened, /no memory/);
  await assert.rejects(pool.take(1), {
    code: "POOL_EMPTY",
    message: /no available agent client in pool \(no memory\)/,
  });
  await pool.close();
});

test("WarmPool forgets an item that ended by itself and replaces it", async () => {
  const { pool, starts, settle } = manualPool(1);
  const opened = pool.open();
  await settle(0);
  await opened;
  pool.remove(0);
  assert.equal(pool.idleCount, 0);
  assert.equal(starts.length, 2);
  await settle(1);
  assert.deepEqual(await pool.close(), [1]);
});

test("WarmPool fails waiting takers when it is closed and takes no more", async () => {
  const { pool } = manualPool(1);
  const opened = pool.open();
  const waiting = pool.take(60_000);
  const closing = pool.close();
  await assert.rejects(waiting, /shutting down/);
  await assert.rejects(opened, /closing/);
  assert.deepEqual(await closing, []);
  await assert.rejects(pool.take(60_000), /shutting down/);
});

test("WarmPool gives up opening when it is told to", async () => {
  const { pool } = manualPool(1);
  const stop = new AbortController();
  const opened = pool.open(stop.signal);
  stop.abort();
  await assert.rejects(opened, /closing/);
  assert.deepEqual(await pool.close(), []);
});
