import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSigningKey } from "../control-api/index.ts";
import { parseConnectionCredentials } from "./connection-credentials.ts";

const seed = createSigningKey("user").seedText();
const url = "nats://127.0.0.1:4222,nats://other";
const jwt = "aa.bb.cc";
const none = { prefix: "hs", url: undefined, jwt: undefined, seed: undefined } as const;

describe("parseConnectionCredentials", () => {
  test("takes all three, or none", () => {
    assert.equal(parseConnectionCredentials(none), undefined);
    assert.deepEqual(parseConnectionCredentials({ prefix: "hs", url, jwt: `${jwt}\n`, seed: ` ${seed}\n` }), {
      nats_url: url,
      nats_user_jwt: jwt,
      nats_user_seed: seed,
    });
  });

  const account = createSigningKey("account").seedText();
  const mistakes: readonly (readonly [flags: object, text: string])[] = [
    [{ url }, "flags --hs_url, --hs_jwt and --hs_seed go together (missing: --hs_jwt, --hs_seed)"],
    [{ jwt, seed }, "flags --hs_url, --hs_jwt and --hs_seed go together (missing: --hs_url)"],
    [{ url: "http://x", jwt, seed }, "flag '--hs_url': "],
    [{ url, jwt: seed, seed }, "flag '--hs_jwt': this is no JWT"],
    [{ url, jwt, seed: account }, "flag '--hs_seed': this is no seed of a user"],
    [{ url, jwt, seed: `${seed}x` }, "flag '--hs_seed': this is no seed of a user"],
  ];
  for (const [flags, text] of mistakes) {
    test(`refuses ${Object.keys(flags).join(", ")}: ${text}`, () => {
      assert.throws(
        () => parseConnectionCredentials({ ...none, ...flags }),
        (error: Error) =>
          error.message.startsWith(text) && !error.message.includes(seed) && !error.message.includes(account),
      );
    });
  }
});
