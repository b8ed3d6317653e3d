import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { fromPublic, fromSeed } from "@nats-io/nkeys";
import * as fc from "fast-check";
import { NexError } from "../lib/errors.ts";
import {
  createSealingKey,
  createSigningKey,
  isPublicKey,
  sealingKeyFromSeed,
  signingKeyFromSeed,
  verifySignature,
} from "./keys.ts";
import { decodePublicKey, decodeSeed, encodePublicKey, encodeSeed, type KeyKind } from "./nkey-text.ts";
import { KEY_VECTORS } from "../../test/support/vectors.ts";

const HELLO = Buffer.from("hello");
const KINDS: readonly KeyKind[] = ["account", "cluster", "curve", "operator", "server", "user"];

for (const [name, vector] of Object.entries(KEY_VECTORS)) {
  test(`keys agree with the test vector "${name}"`, () => {
    const bytes = new Uint8Array(32).fill(vector.byte);
    assert.equal(encodeSeed({ kind: vector.kind, bytes }), vector.seed);
    assert.deepEqual(decodeSeed(vector.seed), { kind: vector.kind, bytes });
    const key = vector.kind === "curve" ? sealingKeyFromSeed(vector.seed) : signingKeyFromSeed(vector.seed);
    assert.equal(key.publicKey, vector.publicKey);
    assert.equal(key.seedText(), vector.seed);
    assert.ok(isPublicKey(vector.publicKey, vector.kind));
    assert.ok(!isPublicKey(vector.publicKey, vector.kind === "user" ? "account" : "user"));
  });
}

test("nkey texts round trip for every kind", () => {
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), fc.uint8Array({ minLength: 32, maxLength: 32 }), (kind, bytes) => {
      assert.deepEqual(decodePublicKey(encodePublicKey({ kind, bytes })), { kind, bytes });
      assert.deepEqual(decodeSeed(encodeSeed({ kind, bytes })), { kind, bytes });
    }),
  );
});

test("a public key with one character changed is none", () => {
  const text = KEY_VECTORS.node.publicKey;
  fc.assert(
    fc.property(
      fc.nat({ max: 55 }),
      fc.constantFrom(...Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
      (at, char) => {
        fc.pre(text[at] !== char);
        assert.ok(!isPublicKey(text.slice(0, at) + char + text.slice(at + 1)));
      },
    ),
  );
});

test("isPublicKey and verifySignature answer false for any text", () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), (text, signature) => {
      assert.equal(isPublicKey(text), false);
      assert.equal(verifySignature(text, HELLO, signature), false);
      assert.equal(verifySignature(KEY_VECTORS.issuer.publicKey, HELLO, signature), false);
    }),
  );
});

test("SigningKey signs as the NATS client library does", () => {
  const key = createSigningKey("account");
  const signature = key.sign(HELLO);
  assert.deepEqual(new Uint8Array(signature), fromSeed(Buffer.from(key.seedText())).sign(HELLO));
  assert.ok(fromPublic(key.publicKey).verify(HELLO, signature));
  assert.ok(verifySignature(key.publicKey, HELLO, signature));
  assert.ok(!verifySignature(key.publicKey, Buffer.from("hellO"), signature));
  assert.ok(!verifySignature(createSigningKey("account").publicKey, HELLO, signature));
  assert.ok(!verifySignature(createSealingKey().publicKey, HELLO, signature));
});

test("a seed may be surrounded by white space, as in a key file", () => {
  const { issuer, publisher } = KEY_VECTORS;
  assert.equal(signingKeyFromSeed(`\n ${issuer.seed}\r\n`).publicKey, issuer.publicKey);
  assert.equal(sealingKeyFromSeed(` ${publisher.seed}\n`).publicKey, publisher.publicKey);
});

const WRONG_SEEDS: readonly (readonly [string, (text: string) => unknown, string, RegExp])[] = [
  [
    "an xkey seed as signing key",
    signingKeyFromSeed,
    KEY_VECTORS.publisher.seed,
    /xkey seed \(SX…\) as a signing key/u,
  ],
  ["a public key as signing key", signingKeyFromSeed, KEY_VECTORS.issuer.publicKey, /not an nkey seed/u],
  [
    "a damaged seed as signing key",
    signingKeyFromSeed,
    `${KEY_VECTORS.issuer.seed.slice(0, -1)}A`,
    /not an nkey seed/u,
  ],
  ["nothing as signing key", signingKeyFromSeed, "", /not an nkey seed/u],
  [
    "a signing seed as xkey",
    sealingKeyFromSeed,
    KEY_VECTORS.issuer.seed,
    /signing key \(account\) as an xkey/u,
  ],
  ["a public key as xkey", sealingKeyFromSeed, KEY_VECTORS.publisher.publicKey, /not an nkey seed/u],
];

for (const [name, read, text, message] of WRONG_SEEDS) {
  test(`reading ${name} is a KEY_INVALID that does not quote the text`, () => {
    assert.throws(
      () => read(text),
      (error) => {
        assert.ok(error instanceof NexError && error.code === "KEY_INVALID");
        assert.match(error.message, message);
        assert.ok(text === "" || !inspect(error).includes(text));
        return true;
      },
    );
  });
}

test("a public key given as a seed is named as the mistake", () => {
  assert.throws(
    () => signingKeyFromSeed(KEY_VECTORS.issuer.publicKey),
    (error) => error instanceof NexError && /public key, not a seed/u.test(error.hint ?? ""),
  );
});

test("keys never show their seed when printed or serialised", () => {
  for (const key of [createSigningKey("user"), createSealingKey()]) {
    const shown = inspect(key, { depth: 10, showHidden: true }) + JSON.stringify(key);
    assert.ok(!shown.includes(key.seedText()));
    assert.ok(shown.includes(key.publicKey));
    assert.ok(!/"?seed"?:/u.test(shown));
  }
});

test("SealingKey opens what was sealed for it, and nothing else", () => {
  const sender = createSealingKey();
  const recipient = createSealingKey();
  const sealed = sender.seal(HELLO, recipient.publicKey);
  assert.deepEqual(Buffer.from(recipient.open(sealed, sender.publicKey) ?? []), HELLO);
  assert.equal(createSealingKey().open(sealed, sender.publicKey), undefined);
  assert.equal(recipient.open(sealed, recipient.publicKey), undefined);
  assert.equal(recipient.open(sealed, "no key"), undefined);
  sealed[40] = (sealed[40] ?? 0) ^ 1;
  assert.equal(recipient.open(sealed, sender.publicKey), undefined);
  assert.throws(() => sender.seal(HELLO, KEY_VECTORS.issuer.publicKey), { code: "KEY_INVALID" });
});
