import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { Link, LinkMessage } from "../../src/agent-api/link.ts";
import { NexError } from "../../src/lib/errors.ts";
import { describeLinkEnds } from "./link-end-contract.ts";
import type { LinkPair } from "./link-pair.ts";

const NOTHING = new Uint8Array(0);
/** Longer than a test may last: who waits for it fails. */
const LONG_MS = 60_000;

/** The suite that every implementation of {@link Link} passes; L1 to L6 are in `src/agent-api/link.ts`. */
export function describeLinkContract(name: string, makePair: () => Promise<LinkPair>): void {
  describe(`Link over ${name}`, { timeout: LONG_MS }, () => {
    for (const direction of ["node to agent", "agent to node"] as const) {
      const ends = (pair: LinkPair): { from: Link; to: Link } =>
        direction === "node to agent"
          ? { from: pair.node, to: pair.agent }
          : { from: pair.agent, to: pair.node };
      describe(direction, () => describeDirection(makePair, ends));
    }
    describeLinkEnds(makePair);
  });
}

function describeDirection(
  makePair: () => Promise<LinkPair>,
  ends: (pair: LinkPair) => { from: Link; to: Link },
): void {
  test("request brings subject, headers and body there and the reply's back (L1)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    const got: LinkMessage[] = [];
    to.handle("a.b", (message) => {
      got.push(message);
      return { headers: { "x-answer": "ä 2" }, body: bytes("pong") };
    });
    await pair.synced();
    const response = await from.request("a.b", bytes("ping"), {
      timeoutMs: LONG_MS,
      headers: { "X-Case": "ü 1" },
    });
    assert.equal(text(response.body), "pong");
    assert.equal(response.headers["x-answer"], "ä 2");
    assert.deepEqual(
      got.map(({ subject, headers, body }) => [subject, headers["X-Case"], text(body)]),
      [["a.b", "ü 1", "ping"]],
    );
  });

  test("a handler may answer nothing, at once or later (L1)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    to.handle("now", () => undefined);
    to.handle("later", () => Promise.resolve(undefined));
    await pair.synced();
    for (const subject of ["now", "later"]) {
      const response = await from.request(subject, NOTHING, { timeoutMs: LONG_MS });
      assert.equal(response.body.length, 0);
    }
  });

  test("a request without reply fails with LINK_TIMEOUT, and its late reply disturbs nobody (L1)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    const late = Promise.withResolvers<undefined>();
    to.handle("slow", () => late.promise);
    to.handle("quick", () => undefined);
    await pair.synced();
    await assert.rejects(from.request("slow", NOTHING, { timeoutMs: 20 }), hasCode("LINK_TIMEOUT"));
    late.resolve(undefined);
    await from.request("quick", NOTHING, { timeoutMs: LONG_MS });
  });

  test("a request for a subject without handler fails at once with LINK_NO_RESPONDERS (L2)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    const handle = to.handle("gone", () => undefined);
    to.handle("deep.>", () => undefined);
    handle[Symbol.dispose]();
    await pair.synced();
    for (const subject of ["never", "gone", "deep"]) {
      await assert.rejects(
        from.request(subject, NOTHING, { timeoutMs: LONG_MS }),
        hasCode("LINK_NO_RESPONDERS"),
      );
    }
  });

  test("messages reach the handler in the order sent (L3)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    const seen: number[] = [];
    to.handle("count", (message) => {
      seen.push(Number(text(message.body)));
      return undefined;
    });
    await pair.synced();
    const expected = Array.from({ length: 300 }, (_, index) => index);
    for (const index of expected) from.publish("count", bytes(String(index)));
    await from.request("count", bytes("300"), { timeoutMs: LONG_MS });
    assert.deepEqual(seen, [...expected, 300]);
  });

  test("handlers run concurrently (L3)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    const gate = Promise.withResolvers<undefined>();
    to.handle("wait", () => gate.promise);
    to.handle("open", () => {
      gate.resolve(undefined);
      return undefined;
    });
    await pair.synced();
    await Promise.all([
      from.request("wait", NOTHING, { timeoutMs: LONG_MS }),
      from.request("open", NOTHING, { timeoutMs: LONG_MS }),
    ]);
  });

  test("each of many requests at once gets its own reply (L1)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    to.handle("echo", (message) => Promise.resolve({ body: message.body }));
    await pair.synced();
    const payloads = Array.from({ length: 500 }, (_, index) => `payload ${index}`);
    const replies = await Promise.all(
      payloads.map((payload) => from.request("echo", bytes(payload), { timeoutMs: LONG_MS })),
    );
    assert.deepEqual(
      replies.map(({ body }) => text(body)),
      payloads,
    );
  });

  test("bytes arrive unchanged and are the receiver's own (L4)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    const kept: Uint8Array[] = [];
    to.handle("echo", ({ body }) => {
      kept.push(body);
      return { body };
    });
    await pair.synced();
    const sizes = [1, 2, 255, 4096, 65_535, 65_536, 500_000];
    const sent = sizes.map((size) => new Uint8Array(randomBytes(size)));
    const originals = sent.map((body) => body.slice());
    const requests = sent.map((body) => from.request("echo", body, { timeoutMs: LONG_MS }));
    for (const body of sent) body.fill(0);
    const replies = await Promise.all(requests);
    for (const [index, { body }] of replies.entries()) {
      assert.deepEqual(plain(body), originals[index]);
      assert.equal(body.buffer.byteLength, body.length);
    }
    assert.deepEqual(kept.map(plain), originals);
    for (const body of kept) assert.equal(body.buffer.byteLength, body.length);
  });

  test("any body and any single-line headers come back as they were (L4)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    to.handle("mirror", ({ headers, body }) => ({ headers, body }));
    await pair.synced();
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/);
    const value = fc.stringMatching(/^[!-~äöü€😀]{0,40}$/u);
    const message = fc.tuple(
      fc.dictionary(name, value, { maxKeys: 5, noNullPrototype: true }),
      fc.uint8Array(),
    );
    await fc.assert(
      fc.asyncProperty(message, async ([headers, body]) => {
        const reply = await from.request("mirror", body, { timeoutMs: LONG_MS, headers });
        assert.deepEqual(plain(reply.body), body);
        assert.deepEqual({ ...reply.headers }, headers);
      }),
      { numRuns: 50 },
    );
  });

  test("a handler that throws or rejects answers with the error's text (L6)", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    to.handle("throws", () => {
      throw new Error("boom");
    });
    to.handle("rejects", () => Promise.reject(new Error("two\nlines")));
    await pair.synced();
    const [thrown, rejected] = await Promise.all([
      from.request("throws", NOTHING, { timeoutMs: LONG_MS }),
      from.request("rejects", NOTHING, { timeoutMs: LONG_MS }),
    ]);
    assert.deepEqual([thrown.headers["x-nex-error"], thrown.body.length], ["boom", 0]);
    assert.equal(rejected.headers["x-nex-error"], "two lines");
    from.publish("throws", NOTHING);
    from.publish("rejects", NOTHING);
    await from.request("throws", NOTHING, { timeoutMs: LONG_MS });
  });

  test("an exact subject goes before a pattern, and * stands for one token", async () => {
    await using pair = await makePair();
    const { from, to } = ends(pair);
    const answering = (body: string) => () => ({ body: bytes(body) });
    to.handle("a.*.c", answering("star"));
    to.handle("b.>", answering("rest"));
    to.handle("a.b.c", answering("exact"));
    await pair.synced();
    const ask = async (subject: string): Promise<string> =>
      text((await from.request(subject, NOTHING, { timeoutMs: LONG_MS })).body);
    assert.deepEqual(await Promise.all(["a.b.c", "a.x.c", "b.x", "b.x.y"].map(ask)), [
      "exact",
      "star",
      "rest",
      "rest",
    ]);
    for (const subject of ["a.c", "a.x.c.d"])
      await assert.rejects(ask(subject), hasCode("LINK_NO_RESPONDERS"));
  });
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof NexError && error.code === code;
}

function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

function text(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

/** Without a subclass such as Buffer, for comparison. */
function plain(body: Uint8Array): Uint8Array {
  return new Uint8Array(body);
}
