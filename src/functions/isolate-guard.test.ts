import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../test/support/until.ts";
import { loadIsolateEngine } from "./isolate-engine.ts";
import { GUARD_SIGNAL, startIsolateGuard } from "./isolate-guard.ts";

test("The isolate guard ends the isolate that it watches last, and no other", async () => {
  const engine = await loadIsolateEngine();
  const [first, second] = [new engine.Isolate(), new engine.Isolate()];
  const cells = new Int32Array(new SharedArrayBuffer(8));
  const guard = await startIsolateGuard(engine, cells, 1);
  for (const isolate of [first, first, first, second, second]) await guard.watch(isolate);
  Atomics.store(cells, 1, GUARD_SIGNAL.end);
  Atomics.notify(cells, 1);
  await until(() => second.isDisposed);
  const third = new engine.Isolate();
  await guard.watch(third);
  guard.stop();
  assert.deepEqual([first.isDisposed, third.isDisposed], [false, false]);
  for (const isolate of [first, third]) isolate.dispose();
});
