import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "node:test";
import * as fc from "fast-check";
import { createLogger } from "../lib/logger.ts";
import { FRAME_KIND, encodeFrame } from "./frame.ts";
import type { FrameHead } from "./frame.ts";
import { createIpcLink } from "./ipc-link.ts";
import type { IpcLinkOptions } from "./ipc-link.ts";
import type { Link } from "./link.ts";

const NOTHING = new Uint8Array(0);
const LONG_MS = 60_000;

/** A link, and the bare stream of a peer that need not keep to any rule. */
function hostilePeer(options?: IpcLinkOptions): { link: Link; peer: Duplex } {
  const [ours, peer] = duplexPair();
  return { link: createIpcLink(ours, options), peer };
}

function frame(head: Partial<FrameHead>, body?: Uint8Array): Buffer {
  const bytes = encodeFrame({ kind: FRAME_KIND.publish, id: 0, subject: "", headers: {}, ...head }, body);
  assert.ok(bytes !== undefined);
  return bytes;
}

async function end(link: Link, peer: Duplex): Promise<void> {
  const closed = link.close();
  peer.resume();
  peer.end();
  await closed;
}

test("Link survives any frames and drops replies that nobody waits for (L5)", async () => {
  const { link, peer } = hostilePeer();
  peer.resume();
  link.handle("known", () => undefined);
  const anyFrame = fc.record({
    kind: fc.constantFrom(FRAME_KIND.request, FRAME_KIND.reply, FRAME_KIND.publish, FRAME_KIND.noResponders),
    id: fc.nat(0xffffffff),
    subject: fc.oneof(fc.constant("known"), fc.string()),
    headers: fc.dictionary(fc.string(), fc.string(), { maxKeys: 5 }),
  });
  fc.assert(
    fc.property(anyFrame, fc.uint8Array(), (head, body) => {
      peer.write(frame(head, body));
    }),
  );
  const seen = Promise.withResolvers<void>();
  link.handle("last", () => {
    seen.resolve();
    return undefined;
  });
  peer.write(frame({ subject: "last" }));
  await seen.promise;
  await end(link, peer);
});

test("Link survives random bytes: it goes on or is lost (L5)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 100 }), { maxLength: 10 }),
      async (chunks) => {
        const { link, peer } = hostilePeer();
        peer.resume();
        for (const chunk of chunks) peer.write(chunk);
        peer.end();
        assert.equal((await link.closed).kind, "lost");
      },
    ),
  );
});

test("Link that cannot tell where a frame ends is lost and fails open requests (L5)", async () => {
  const { link, peer } = hostilePeer();
  const open = assert.rejects(link.request("any", NOTHING, { timeoutMs: LONG_MS }), { code: "LINK_CLOSED" });
  peer.write(Buffer.alloc(100, 0xff));
  await open;
  assert.deepEqual(await link.closed, { kind: "lost", reason: "the other side sent what is not a message" });
});

test("Link turns an error of its stream into its end, whoever writes afterwards (L5)", async () => {
  const [ours] = duplexPair();
  const link = createIpcLink(ours);
  ours.destroy(new Error("broken pipe"));
  assert.deepEqual(await link.closed, { kind: "lost", reason: "broken pipe" });
  link.publish("any", NOTHING);
  await assert.rejects(link.request("any", NOTHING, { timeoutMs: LONG_MS }), { code: "LINK_CLOSED" });
  assert.deepEqual(await createIpcLink(ours).closed, { kind: "lost", reason: "the channel is closed" });
  await link.close();
});

test("Link refuses what is too large, either way (L1)", async () => {
  const { link, peer } = hostilePeer({ maxMessageBytes: 100 });
  const large = new Uint8Array(101);
  await assert.rejects(link.request("any", large, { timeoutMs: LONG_MS }), {
    code: "LINK_MESSAGE_TOO_LARGE",
  });
  const longSubject = "s".repeat(70_000);
  await assert.rejects(link.request(longSubject, NOTHING, { timeoutMs: LONG_MS }), {
    code: "LINK_MESSAGE_TOO_LARGE",
  });
  link.publish("any", large);
  link.handle("large", () => ({ body: large }));
  const answered = Promise.withResolvers<string>();
  peer.on("data", (chunk: Buffer) => answered.resolve(chunk.toString("latin1")));
  peer.write(frame({ kind: FRAME_KIND.request, id: 9, subject: "large" }));
  assert.match(await answered.promise, /x-nex-error\0the reply is too large\0/);
  await end(link, peer);
});

test("Link does not pile up what the other side does not read (L1)", async () => {
  const { link, peer } = hostilePeer({ maxQueuedBytes: 100_000 });
  const body = new Uint8Array(10_000);
  const outcomes: Promise<string>[] = [];
  for (let index = 0; index < 50; index += 1) {
    const request = link.request("any", body, { timeoutMs: LONG_MS });
    outcomes.push(
      request.then(
        () => "answered",
        (error: Error & { code: string }) => error.code,
      ),
    );
  }
  await end(link, peer);
  const codes = await Promise.all(outcomes);
  assert.ok(codes.filter((code) => code === "LINK_CLOSED").length <= 15);
  assert.deepEqual([...new Set(codes)].sort(), ["LINK_CLOSED", "LINK_CONGESTED"]);
});

test("Link handles no more messages at once than it is allowed to", async () => {
  const warnings: string[] = [];
  const logger = createLogger(({ fields }) => warnings.push(String(fields["error"])));
  const { link, peer } = hostilePeer({ maxConcurrent: 3, logger });
  const gate = Promise.withResolvers<undefined>();
  let running = 0;
  link.handle("wait", () => {
    running += 1;
    return gate.promise;
  });
  let answers = "";
  const refused = Promise.withResolvers<void>();
  peer.on("data", (chunk: Buffer) => {
    answers += chunk.toString("latin1");
    if (answers.includes("too many")) refused.resolve();
  });
  for (let id = 1; id <= 4; id += 1) peer.write(frame({ kind: FRAME_KIND.request, id, subject: "wait" }));
  peer.write(frame({ subject: "wait" }));
  await refused.promise;
  assert.equal(running, 3);
  assert.deepEqual(warnings, ["too many messages are being handled"]);
  gate.resolve(undefined);
  await nextTurn();
  const again = Promise.withResolvers<void>();
  link.handle("again", () => {
    again.resolve();
    return Promise.resolve(undefined);
  });
  peer.write(frame({ subject: "again" }));
  await again.promise;
  await end(link, peer);
});

test("Link logs a handler of a publish that fails, and goes on (L6)", async () => {
  const errors: unknown[] = [];
  const { link, peer } = hostilePeer({ logger: createLogger(({ fields }) => errors.push(fields["error"])) });
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  link.handle("bad", () => Promise.reject(circular));
  const done = Promise.withResolvers<void>();
  link.handle("good", () => {
    done.resolve();
    return undefined;
  });
  peer.write(frame({ subject: "bad" }));
  peer.write(frame({ subject: "good" }));
  await done.promise;
  await nextTurn();
  assert.deepEqual(errors, ["unknown error"]);
  await end(link, peer);
});
