import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FrameReader } from "./frame-reader.ts";
import { FRAME_KIND, MAX_HEAD_BYTES, encodeFrame } from "./frame.ts";
import type { FrameHead } from "./frame.ts";

interface Frame {
  readonly head: FrameHead;
  readonly body: Uint8Array;
}

const LIMITS = { maxBodyBytes: 1 << 20 };

function collect(chunks: readonly Uint8Array[]): { frames: Frame[]; readable: boolean } {
  const frames: Frame[] = [];
  const reader = new FrameReader((head, body) => frames.push({ head, body }), LIMITS);
  const readable = chunks.every((chunk) => reader.push(Buffer.from(chunk)));
  return { frames, readable };
}

function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return [...chunks, bytes.subarray(at)];
}

function encoded(head: FrameHead, body?: Uint8Array): Buffer {
  const frame = encodeFrame(head, body);
  assert.ok(frame !== undefined);
  return frame;
}

const PLAIN = { noNullPrototype: true } as const;
const anyHead: fc.Arbitrary<FrameHead> = fc.record(
  {
    kind: fc.constantFrom(...Object.values(FRAME_KIND)),
    id: fc.nat(0xffffffff),
    subject: fc.string({ unit: "grapheme" }),
    headers: fc.dictionary(
      fc.stringMatching(/^[a-z][a-z-]*$/),
      fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\0\r\n]/g, "")),
      { ...PLAIN, maxKeys: 8 },
    ),
  },
  PLAIN,
);
const anyFrame: fc.Arbitrary<Frame> = fc.record(
  { head: anyHead, body: fc.uint8Array({ maxLength: 300 }) },
  PLAIN,
);

test("frames come out of a stream as they went in, wherever it is cut", () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 6 }),
      fc.array(fc.nat(60), { maxLength: 40 }),
      (frames, lengths) => {
        const bytes = Buffer.concat(frames.map(({ head, body }) => encoded(head, body)));
        const result = collect(cut(bytes, lengths));
        assert.deepEqual(result, { frames, readable: true });
        for (const { body } of result.frames) assert.equal(body.buffer.byteLength, body.length);
      },
    ),
  );
});

test("random bytes give frames or the end of the stream, never an exception", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
      collect(chunks);
    }),
  );
});

test("a frame with a random head is skipped or read, and the next one is read", () => {
  const next = encoded({ kind: FRAME_KIND.publish, id: 0, subject: "next", headers: {} });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 20 }), (head, body) => {
      const prefix = Buffer.alloc(8);
      prefix.writeUInt32BE(head.length, 0);
      prefix.writeUInt32BE(body.length, 4);
      const { frames, readable } = collect([Buffer.concat([prefix, head, body, next])]);
      assert.equal(readable, true);
      assert.equal(frames.at(-1)?.head.subject, "next");
    }),
  );
});

test("a stream that announces more than the limits is given up", () => {
  for (const [headBytes, bodyBytes] of [
    [MAX_HEAD_BYTES + 1, 0],
    [7, LIMITS.maxBodyBytes + 1],
    [0xffffffff, 0xffffffff],
  ] as const) {
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32BE(headBytes, 0);
    prefix.writeUInt32BE(bodyBytes, 4);
    assert.equal(collect([prefix]).readable, false);
    assert.equal(collect([prefix.subarray(0, 3), prefix.subarray(3)]).readable, false);
  }
});

test("headers cannot change a prototype, and lose the characters that would split them", () => {
  const hostile = Buffer.from("__proto__\0polluted\0\0nameless\0ok\0yes\0");
  const frame = encoded({ kind: FRAME_KIND.publish, id: 0, subject: "", headers: {} });
  frame.writeUInt32BE(7 + hostile.length, 0);
  const { frames } = collect([frame, hostile]);
  assert.deepEqual(frames[0]?.head.headers, { ok: "yes" });
  const split = encoded({ kind: FRAME_KIND.publish, id: 0, subject: "", headers: { "a\r\nb": "c\0d\ne" } });
  assert.deepEqual(collect([split]).frames[0]?.head.headers, { "a b": "c d e" });
});

test("encodeFrame refuses a subject, headers or a body beyond the limits", () => {
  const head: FrameHead = { kind: FRAME_KIND.request, id: 1, subject: "s", headers: {} };
  assert.equal(encodeFrame({ ...head, subject: "s".repeat(65_536) }), undefined);
  assert.equal(encodeFrame({ ...head, headers: { a: "b".repeat(MAX_HEAD_BYTES) } }), undefined);
  assert.equal(encodeFrame(head, new Uint8Array(11), 10), undefined);
  assert.ok(encodeFrame(head, new Uint8Array(10), 10) !== undefined);
});

test("a head is read anew unless it is the one before, whatever differs", () => {
  const heads = [
    { subject: "a.trigger", headers: { name: "b" } },
    { subject: "a.triggers", headers: { name: "b" } },
    { subject: "a.trigger", headers: { name: "c" } },
    { subject: "a.triggername\0b\0", headers: {} },
    { subject: "a.trigger", headers: {} },
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...heads), { minLength: 1, maxLength: 12 }), (chosen) => {
      const sent = chosen.map((head, id) => ({ kind: FRAME_KIND.request, id, ...head }));
      const { frames } = collect([Buffer.concat(sent.map((head) => encoded(head)))]);
      assert.deepEqual(
        frames.map(({ head }) => head),
        sent,
      );
    }),
  );
});
