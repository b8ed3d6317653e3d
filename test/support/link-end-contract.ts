import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkPair } from "./link-pair.ts";

const NOTHING = new Uint8Array(0);
/** Longer than a test may last: who waits for it fails. */
const LONG_MS = 60_000;

/** The part of the link contract about how links end and how handlers come and go. */
export function describeLinkEnds(makePair: () => Promise<LinkPair>): void {
  test("close fails open requests with LINK_CLOSED and ends the other side as lost (L1)", async () => {
    await using pair = await makePair();
    const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<undefined>()];
    pair.agent.handle("wait", () => {
      asked.resolve();
      return answered.promise;
    });
    await pair.synced();
    const open = assert.rejects(pair.node.request("wait", NOTHING, { timeoutMs: LONG_MS }), {
      code: "LINK_CLOSED",
    });
    await asked.promise;
    await pair.node.close();
    await open;
    assert.deepEqual(await pair.node.closed, { kind: "closed" });
    assert.equal((await pair.agent.closed).kind, "lost");
    answered.resolve(undefined);
  });

  test("open requests fail with LINK_CLOSED when the other side closes (L1)", async () => {
    await using pair = await makePair();
    const asked = Promise.withResolvers<void>();
    pair.agent.handle("wait", () => {
      asked.resolve();
      return new Promise<undefined>(() => {});
    });
    await pair.synced();
    const open = assert.rejects(pair.node.request("wait", NOTHING, { timeoutMs: LONG_MS }), {
      code: "LINK_CLOSED",
    });
    await asked.promise;
    await pair.agent.close();
    await open;
    assert.equal((await pair.node.closed).kind, "lost");
  });

  test("what was published before close arrives", async () => {
    await using pair = await makePair();
    let got = 0;
    pair.node.handle("last", ({ body }) => {
      got += body.length;
      return undefined;
    });
    await pair.synced();
    for (let index = 0; index < 20; index += 1) pair.agent.publish("last", new Uint8Array(50_000));
    await pair.agent.close();
    await pair.node.closed;
    assert.equal(got, 20 * 50_000);
  });

  test("a closed link refuses requests, drops publishes, and closes again without effect", async () => {
    await using pair = await makePair();
    await pair.node.close();
    await pair.node.close();
    await assert.rejects(pair.node.request("any", NOTHING, { timeoutMs: LONG_MS }), { code: "LINK_CLOSED" });
    pair.node.publish("any", NOTHING);
    assert.deepEqual(await pair.node.closed, { kind: "closed" });
  });

  test("a second handler of a pattern is refused until the first one is disposed", async () => {
    await using pair = await makePair();
    const first = pair.node.handle("once.*", () => undefined);
    assert.throws(() => pair.node.handle("once.*", () => undefined), { code: "INTERNAL" });
    first[Symbol.dispose]();
    const second = pair.node.handle("once.*", () => undefined);
    first[Symbol.dispose]();
    assert.throws(() => pair.node.handle("once.*", () => undefined), { code: "INTERNAL" });
    second[Symbol.dispose]();
  });
}
