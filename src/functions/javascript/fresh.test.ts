// What stays from one invocation to the next, and what does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyText, failureOf, loadTestFunction } from "../../../test/support/function-kit.ts";

const NONE = new Uint8Array(0);

test("A fresh JavaScript function starts each invocation with nothing of the last one", async (context) => {
  const sources = {
    "on the main thread": "",
    asynchronous: "await null;",
    "with timers": "await new Promise((resolve) => setTimeout(resolve, 1));",
    "on a thread of its own": "try { hostServices.kv.get('x') } catch {}",
  };
  for (const [title, step] of Object.entries(sources)) {
    await context.test(title, async () => {
      await using loaded = await loadTestFunction({
        fresh: true,
        source: `let count = 0; async (subject) => { ${step}
          if (subject === 'bad') throw new Error('no');
          globalThis.seen = (globalThis.seen ?? '') + subject; Array.prototype.mark = (Array.prototype.mark ?? '') + subject;
          return [++count, globalThis.seen, [].mark] }`,
      });
      for (const subject of ["a", "b"])
        assert.equal(bodyText(await loaded.invoke(subject, NONE)), `[1,"${subject}","${subject}"]`);
      assert.equal((await loaded.invoke("bad", NONE)).kind, "failed");
      const together = await Promise.all(
        ["c", "d", "e"].map(async (subject) => loaded.invoke(subject, NONE)),
      );
      assert.deepEqual(
        together.map(bodyText),
        ["c", "d", "e"].map((subject) => `[1,"${subject}","${subject}"]`),
      );
    });
  }
});

test("A fresh JavaScript function has used contexts collected", async () => {
  await using loaded = await loadTestFunction({
    fresh: true,
    limits: { memoryMiB: 32 },
    source: "() => { globalThis.kept = new Array(50000).fill({}); return 1 }",
  });
  for (let round = 0; round < 200; round++) assert.equal(bodyText(await loaded.invoke("a", NONE)), "1");
});

test("A fresh JavaScript function works after a timeout", async () => {
  await using loaded = await loadTestFunction({
    fresh: true,
    limits: { timeoutMs: 100 },
    source:
      "(subject) => { while (subject === 'loop'); return subject === 'never' ? new Promise(() => {}) : 1 }",
  });
  for (const subject of ["loop", "fine", "never", "fine"]) {
    const outcome = await loaded.invoke(subject, NONE);
    if (subject === "fine") assert.equal(bodyText(outcome), "1");
    else assert.equal(failureOf(outcome)[0], "timeout");
  }
});

test("Two JavaScript functions share nothing", async () => {
  const source =
    "() => { globalThis.seen = (globalThis.seen ?? 0) + 1; Array.prototype.seen = 1; return globalThis.seen }";
  await using one = await loadTestFunction({ source });
  await using two = await loadTestFunction({ source: "() => [typeof globalThis.seen, [].seen ?? null]" });
  assert.equal(bodyText(await one.invoke("a", NONE)), "1");
  assert.equal(bodyText(await two.invoke("a", NONE)), '["undefined",null]');
});
