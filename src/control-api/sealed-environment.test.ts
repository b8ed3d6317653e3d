import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { NexError } from "../lib/errors.ts";
import { createSealingKey } from "./keys.ts";
import { openEnvironment, sealEnvironment } from "./sealed-environment.ts";
import { KEY_VECTORS, NODE_XKEY, PUBLISHER, SEALED_ENVIRONMENT } from "../../test/support/vectors.ts";

const sender = PUBLISHER.publicKey;

test("sealEnvironment makes the text of the test vector", () => {
  const sealed = sealEnvironment({
    environment: { GREETING: "hi" },
    sender: PUBLISHER,
    recipient: NODE_XKEY.publicKey,
    nonce: new Uint8Array(24).fill(4),
  });
  assert.equal(sealed, SEALED_ENVIRONMENT);
  assert.deepEqual(openEnvironment({ sealed, sender, recipient: NODE_XKEY }), { GREETING: "hi" });
});

test("environments round trip, whatever their names and values", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string({ unit: "grapheme" })), (environment) => {
      const sealed = sealEnvironment({ environment, sender: PUBLISHER, recipient: NODE_XKEY.publicKey });
      assert.deepEqual({ ...openEnvironment({ sealed, sender, recipient: NODE_XKEY }) }, { ...environment });
    }),
    { numRuns: 25 },
  );
});

test("sealing uses a new nonce each time", () => {
  const seal = (): string =>
    sealEnvironment({ environment: {}, sender: PUBLISHER, recipient: NODE_XKEY.publicKey });
  assert.notEqual(seal(), seal());
});

/** Text of any plaintext, sealed properly. */
function sealText(plain: string): string {
  return Buffer.from(PUBLISHER.seal(Buffer.from(plain), NODE_XKEY.publicKey)).toString("base64");
}

test("openEnvironment reads null as no variables and a null value as empty", () => {
  assert.deepEqual(openEnvironment({ sealed: sealText("null"), sender, recipient: NODE_XKEY }), {});
  assert.deepEqual(openEnvironment({ sealed: sealText('{"A":null}'), sender, recipient: NODE_XKEY }), {
    A: "",
  });
});

const bytes = Buffer.from(SEALED_ENVIRONMENT, "base64");
const flipped = Buffer.from(bytes).fill((bytes[60] ?? 0) ^ 1, 60);
const REFUSALS: readonly (readonly [string, string, string, string])[] = [
  ["bad base64", "eGt2MQ!", sender, "illegal base64 data at input byte 6"],
  [
    "the URL alphabet",
    SEALED_ENVIRONMENT.replaceAll("+", "-"),
    sender,
    `illegal base64 data at input byte ${SEALED_ENVIRONMENT.indexOf("+")}`,
  ],
  ["nothing", "", sender, "nkeys: encrypted input is not valid"],
  ["28 bytes", bytes.subarray(0, 28).toString("base64"), "bad", "nkeys: encrypted input is not valid"],
  [
    "another version",
    Buffer.from(bytes).fill("xkv2", 0, 4).toString("base64"),
    "bad",
    "nkeys: encrypted input wrong version",
  ],
  ["a sender that is no key", SEALED_ENVIRONMENT, "bad", "nkeys: not a valid sender public curve key"],
  [
    "a signing key as sender",
    SEALED_ENVIRONMENT,
    KEY_VECTORS.issuer.publicKey,
    "nkeys: not a valid sender public curve key",
  ],
  ["another sender", SEALED_ENVIRONMENT, NODE_XKEY.publicKey, "nkeys: could not decrypt input"],
  ["a changed byte", flipped.toString("base64"), sender, "nkeys: could not decrypt input"],
  [
    "only the nonce and a byte",
    bytes.subarray(0, 29).toString("base64"),
    sender,
    "nkeys: could not decrypt input",
  ],
  ["plain text inside", sealText("hush=secret"), sender, "environment is not valid JSON"],
  ["nothing inside", sealText(""), sender, "environment is empty"],
  ["a list inside", sealText('["secret"]'), sender, "environment must be an object"],
  ["a number inside", sealText('{"A":1}'), sender, 'environment "A" must be a string'],
];

for (const [name, sealed, from, message] of REFUSALS) {
  test(`openEnvironment refuses ${name}`, () => {
    assert.throws(
      () => openEnvironment({ sealed, sender: from, recipient: NODE_XKEY }),
      (error) => {
        assert.ok(error instanceof NexError);
        assert.equal(error.code, "ENVIRONMENT_INVALID");
        assert.equal(error.message, message);
        assert.ok(!inspect(error).includes("secret"));
        return true;
      },
    );
  });
}

test("openEnvironment refuses what was sealed for another node", () => {
  assert.throws(
    () => openEnvironment({ sealed: SEALED_ENVIRONMENT, sender, recipient: createSealingKey() }),
    {
      code: "ENVIRONMENT_INVALID",
      message: "nkeys: could not decrypt input",
    },
  );
});

test("sealEnvironment refuses values that are no strings and recipients that are no xkey", () => {
  const environment = JSON.parse('{"A":1}') as Record<string, string>;
  assert.throws(() => sealEnvironment({ environment, sender: PUBLISHER, recipient: NODE_XKEY.publicKey }), {
    code: "ENVIRONMENT_INVALID",
    message: 'environment variable "A" must be a string',
  });
  assert.throws(
    () => sealEnvironment({ environment: {}, sender: PUBLISHER, recipient: KEY_VECTORS.node.publicKey }),
    { code: "KEY_INVALID" },
  );
});
