import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { NexError } from "../lib/errors.ts";
import {
  createDeployToken,
  createStopToken,
  STOP_CLONED,
  verifyDeployToken,
  verifyStopToken,
  type WorkloadClaims,
} from "./claims.ts";
import { createSigningKey, type SigningKey } from "./keys.ts";
import { encodeToken } from "./token.ts";
import { DEPLOY_TOKEN, ISSUER, KEY_VECTORS, STOP_TOKEN } from "../../test/support/vectors.ts";

const DEPLOYED_AT = 1_720_000_000;
const CHECKS = { now: DEPLOYED_AT + 5, maxAgeSeconds: 300 };
const other = createSigningKey("account");

test("createDeployToken makes the token of the test vector, byte for byte", () => {
  const token = createDeployToken({
    issuer: ISSUER,
    workloadName: "echoservice",
    hash: "0123abcd",
    issuedAt: DEPLOYED_AT,
  });
  assert.equal(token, DEPLOY_TOKEN);
});

test("createStopToken makes the token of the test vector, byte for byte", () => {
  assert.equal(
    createStopToken({ issuer: ISSUER, workloadName: "echoservice", issuedAt: DEPLOYED_AT + 60 }),
    STOP_TOKEN,
  );
});

test("verifyDeployToken reads the claims of the test vector", () => {
  assert.deepEqual(verifyDeployToken(DEPLOY_TOKEN, CHECKS), {
    id: "6VGHYW43EYDS35EZ5FB3T7PJF7WJ6AEARKCSEAUVO7ZBDSMSLPGQ",
    issuedAt: DEPLOYED_AT,
    issuer: KEY_VECTORS.issuer.publicKey,
    workloadName: "echoservice",
    hash: "0123abcd",
  });
});

test("createDeployToken refuses a name no node accepts", () => {
  for (const workloadName of ["", "a.b", "a b", "ü", "a\n"]) {
    assert.throws(() => createDeployToken({ issuer: ISSUER, workloadName }), {
      code: "WORKLOAD_NAME_INVALID",
    });
  }
});

test("tokens are valid in the second they are made in by default", () => {
  const now = Math.floor(Date.now() / 1000);
  const token = createDeployToken({ issuer: ISSUER, workloadName: "echo" });
  assert.equal(verifyDeployToken(token, { now, maxAgeSeconds: 300 }).workloadName, "echo");
});

/** A token with any header and payload, signed properly. */
function craft(
  payload: unknown,
  header: unknown = { typ: "JWT", alg: "ed25519-nkey" },
  key: SigningKey = ISSUER,
): string {
  const encode = (value: unknown): string =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${Buffer.from(key.sign(Buffer.from(signed))).toString("base64url")}`;
}

const GOOD = {
  jti: "J",
  iat: DEPLOYED_AT,
  iss: ISSUER.publicKey,
  sub: "echoservice",
  nats: { version: 2 },
};
const [head = "", body = "", signature = ""] = DEPLOY_TOKEN.split(".");
const undecodable = (detail: string): string => `could not decode workload JWT: ${detail}`;
const unverified = undecodable("claim failed V2 signature verification");
const badName = (name: string): string =>
  `workload name claim ('${name}') does not match requirements (^[a-zA-Z0-9_-]+$)`;
const invalid = "standard claims within JWT are not valid";

/** In the order of the checks: each token also breaks a later one where that can be. */
const DEPLOY_REFUSALS: readonly (readonly [string, string, string])[] = [
  ["nothing", "", undecodable("expected 3 chunks")],
  ["two parts", `${head}.${body}`, undecodable("expected 3 chunks")],
  ["four parts", `${DEPLOY_TOKEN}.x`, undecodable("expected 3 chunks")],
  [
    "a header that is not base64",
    `e+J.${body}.${signature}`,
    undecodable("illegal base64 data at input byte 1"),
  ],
  ["padding", `${head}.${body}.${signature}==`, undecodable("illegal base64 data at input byte 86")],
  ["a header that is not JSON", craft(GOOD, "nope"), undecodable("body is not valid JSON")],
  ["another type", craft(GOOD, { typ: "JWS", alg: "none" }), undecodable('not supported type "JWS"')],
  ["no algorithm", craft(GOOD, { typ: "jwt", alg: "none" }), undecodable('unexpected "none" algorithm')],
  [
    "the legacy algorithm",
    craft(GOOD, { typ: "JWT", alg: "ed25519" }),
    undecodable('unexpected "ed25519" algorithm'),
  ],
  ["a payload that is not JSON", craft("{"), undecodable("body is not valid JSON")],
  ["a payload that is a list", craft([]), undecodable("body must be an object")],
  ["a time that is text", craft({ ...GOOD, iat: "1" }), undecodable('field "iat" must be a number')],
  ["another issuer's signature", craft({ ...GOOD, sub: "a.b" }, undefined, other), unverified],
  ["no issuer", craft({ ...GOOD, iss: undefined }), unverified],
  ["an xkey as issuer", craft({ ...GOOD, iss: KEY_VECTORS.publisher.publicKey }), unverified],
  ["a changed payload", `${head}.${craft({ ...GOOD, sub: "evil" }).split(".")[1]}.${signature}`, unverified],
  ["a short signature", `${head}.${body}.AAAA`, unverified],
  ["a name with a dot", craft({ ...GOOD, sub: "a.b", exp: 1 }), badName("a.b")],
  ["no name", craft({ ...GOOD, sub: undefined }), badName("")],
  ["a name ending in a line break", craft({ ...GOOD, sub: "a\n" }), badName("a\n")],
  ["a name beyond ASCII", craft({ ...GOOD, sub: "ſ" }), badName("ſ")],
  ["an expiry in the past", craft({ ...GOOD, exp: CHECKS.now - 1 }), invalid],
  ["a beginning in the future", craft({ ...GOOD, nbf: CHECKS.now + 1 }), invalid],
  ["an age beyond the limit", craft({ ...GOOD, iat: CHECKS.now - 301 }), invalid],
  ["a time too far in the future", craft({ ...GOOD, iat: CHECKS.now + 301 }), invalid],
  ["no time", craft({ ...GOOD, iat: undefined }), invalid],
];

for (const [name, token, message] of DEPLOY_REFUSALS) {
  test(`verifyDeployToken refuses a token with ${name}`, () => {
    assert.throws(() => verifyDeployToken(token, CHECKS), {
      name: "NexError",
      code: "CLAIMS_INVALID",
      message,
    });
  });
}

test("verifyDeployToken accepts times at their limits, keys in any case, and any age when the limit is 0", () => {
  for (const payload of [
    { ...GOOD, exp: CHECKS.now, nbf: CHECKS.now },
    { ...GOOD, exp: 0, nbf: 0 },
    { ...GOOD, iat: CHECKS.now - 300 },
    { ...GOOD, iat: CHECKS.now + 300 },
    { ...GOOD, SUB: "ignored", nats: null },
  ]) {
    assert.equal(
      verifyDeployToken(craft(payload, { TYP: "jwt", ALG: "ED25519-nkey" }), CHECKS).workloadName,
      "echoservice",
    );
  }
  assert.equal(verifyDeployToken(craft({ ...GOOD, iat: 1 }), { ...CHECKS, maxAgeSeconds: 0 }).issuedAt, 1);
});

const WORKLOAD_ID = "cpv0k3752omq9k2v7g10";
const STOP_CHECKS = {
  now: DEPLOYED_AT + 60,
  maxAgeSeconds: 300,
  workloadId: WORKLOAD_ID,
  deployToken: DEPLOY_TOKEN,
};
const deployClaims: WorkloadClaims = verifyDeployToken(DEPLOY_TOKEN, CHECKS);

test("verifyStopToken accepts the test vector and tokens for the same workload id", () => {
  assert.equal(verifyStopToken(STOP_TOKEN, deployClaims, STOP_CHECKS).issuedAt, DEPLOYED_AT + 60);
  const token = createStopToken({
    issuer: ISSUER,
    workloadName: "echoservice",
    workloadId: WORKLOAD_ID,
    issuedAt: DEPLOYED_AT + 1,
  });
  assert.equal(verifyStopToken(token, deployClaims, STOP_CHECKS).workloadId, WORKLOAD_ID);
});

const later = { ...GOOD, jti: "K", iat: DEPLOYED_AT + 60 };
const wrongSubject = "stop claims subject does not match original start claims subject";
const wrongIssuer =
  "the only entity allowed to terminate a workload is the issuer that originally started it";

const STOP_REFUSALS: readonly (readonly [string, string, string])[] = [
  ["two parts", `${head}.${body}`, undecodable("expected 3 chunks")],
  ["another issuer's signature", craft(later, undefined, other), unverified],
  ["the deploy token itself", DEPLOY_TOKEN, STOP_CLONED],
  ["a time before the deploy", craft({ ...later, iat: DEPLOYED_AT - 1 }), STOP_CLONED],
  ["another name", craft({ ...later, sub: "other", iss: other.publicKey }, undefined, other), wrongSubject],
  ["another issuer", craft({ ...later, iss: other.publicKey }, undefined, other), wrongIssuer],
  [
    "another workload's id",
    craft({ ...later, nats: { workload_id: "x" } }),
    "stop claims are for another workload",
  ],
  ["a time too far in the future", craft({ ...later, iat: STOP_CHECKS.now + 301 }), invalid],
];

for (const [name, token, message] of STOP_REFUSALS) {
  test(`verifyStopToken refuses a token with ${name}`, () => {
    assert.throws(() => verifyStopToken(token, deployClaims, STOP_CHECKS), {
      name: "NexError",
      code: "CLAIMS_INVALID",
      message,
    });
  });
}

test("verifyStopToken refuses a token captured long ago although it is later than the deploy", () => {
  const now = DEPLOYED_AT + 10_000;
  assert.throws(() => verifyStopToken(STOP_TOKEN, deployClaims, { ...STOP_CHECKS, now }), {
    message: invalid,
  });
  assert.ok(verifyStopToken(STOP_TOKEN, deployClaims, { ...STOP_CHECKS, now, maxAgeSeconds: 0 }));
});

test("verifyStopToken does not check name, expiry and beginning, as no peer does", () => {
  assert.ok(verifyStopToken(craft({ ...later, exp: 1, nbf: 9_999_999_999 }), deployClaims, STOP_CHECKS));
});

test("verifyStopToken accepts a stop that was signed in the second of the deploy", () => {
  assert.equal(
    verifyStopToken(craft({ ...later, iat: DEPLOYED_AT }), deployClaims, STOP_CHECKS).issuedAt,
    DEPLOYED_AT,
  );
});

test("token ids escape as Go does", () => {
  const claims = { issuer: ISSUER, issuedAt: 1, custom: {} };
  const [, payload = ""] = encodeToken({ ...claims, subject: "<&>\u2028" }).split(".");
  const text = Buffer.from(payload, "base64url").toString();
  assert.ok(text.includes(String.raw`"sub":"\u003c\u0026\u003e\u2028"`));
});

test("any text as a token is refused, any custom claims are read or refused", () => {
  const anyChunk = fc.oneof(
    fc.string(),
    fc.json().map((text) => Buffer.from(text).toString("base64url")),
  );
  const refusal = { name: "NexError", code: "CLAIMS_INVALID" };
  fc.assert(
    fc.property(fc.array(anyChunk, { maxLength: 4 }), (chunks) => {
      assert.throws(() => verifyDeployToken(chunks.join("."), CHECKS), refusal);
    }),
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("iat", "sub", "exp", "nbf", "nats", "jti"), fc.jsonValue()),
      (extra) => {
        try {
          verifyDeployToken(craft({ ...GOOD, ...extra }), CHECKS);
        } catch (error) {
          assert.ok(error instanceof NexError && error.code === "CLAIMS_INVALID");
        }
      },
    ),
  );
});
