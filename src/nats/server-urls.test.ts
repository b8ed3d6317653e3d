import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NexError } from "../lib/errors.ts";
import { parseServerUrls } from "./server-urls.ts";
import type { ServerUrls } from "./server-urls.ts";

const plain = { transport: "tcp", tls: false } as const;

const good: readonly (readonly [string, ServerUrls])[] = [
  ["nats://127.0.0.1:4222", { ...plain, urls: ["nats://127.0.0.1:4222"] }],
  ["127.0.0.1", { ...plain, urls: ["nats://127.0.0.1:4222"] }],
  ["demo.nats.io:4443", { ...plain, urls: ["nats://demo.nats.io:4443"] }],
  ["NATS://Host:1", { ...plain, urls: ["nats://host:1"] }],
  ["nats://host/", { ...plain, urls: ["nats://host:4222"] }],
  ["nats://host:", { ...plain, urls: ["nats://host:4222"] }],
  ["::1", { ...plain, urls: ["nats://[::1]:4222"] }],
  ["[::1]:4333", { ...plain, urls: ["nats://[::1]:4333"] }],
  ["nats://[fd00::2]", { ...plain, urls: ["nats://[fd00::2]:4222"] }],
  ["a, b:1 ,nats://c", { ...plain, urls: ["nats://a:4222", "nats://b:1", "nats://c:4222"] }],
  ["a,,b,", { ...plain, urls: ["nats://a:4222", "nats://b:4222"] }],
  ["tls://host", { transport: "tcp", tls: true, urls: ["tls://host:4222"] }],
  ["nats://a,tls://b", { transport: "tcp", tls: true, urls: ["nats://a:4222", "tls://b:4222"] }],
  ["ws://host", { transport: "websocket", tls: false, urls: ["ws://host:80"] }],
  ["wss://host/nats", { transport: "websocket", tls: true, urls: ["wss://host:443/nats"] }],
  ["nats://joe:s3cret@host", { ...plain, urls: ["nats://host:4222"], user: "joe", password: "s3cret" }],
  ["nats://joe:@host", { ...plain, urls: ["nats://host:4222"], user: "joe", password: "" }],
  ["joe:p%40%2Fss@host", { ...plain, urls: ["nats://host:4222"], user: "joe", password: "p@/ss" }],
  ["joe:p@ss:w@host:1", { ...plain, urls: ["nats://host:1"], user: "joe", password: "p@ss:w" }],
  ["nats://t0ken@[::1]:1", { ...plain, urls: ["nats://[::1]:1"], token: "t0ken" }],
  ["nats://@host", { ...plain, urls: ["nats://host:4222"] }],
  ["t@a,b,t@c", { ...plain, urls: ["nats://a:4222", "nats://b:4222", "nats://c:4222"], token: "t" }],
];

const bad: readonly (readonly [string, RegExp])[] = [
  ["", /it is empty/],
  [" , ", /it is empty/],
  ["http://host", /"http" is none of nats, tls, ws, wss/],
  ["nats://", /it has no host/],
  ["nats://:4222", /its host is not valid/],
  ["nats://ho st", /its host is not valid/],
  ["nats://[::1", /its host is not valid/],
  ["nats://[nonsense]:1", /its host is not valid/],
  ["nats://[fe80::1%eth0]", /its host is not valid/],
  ["host:0", /its port/],
  ["host:65536", /its port/],
  ["host:four", /its port/],
  ["host:-1", /its port/],
  ["nats://host/subject", /it has a path/],
  ["nats://host?tls=true", /it has a path/],
  ["nats://a,ws://b", /cannot be mixed/],
  ["x:y@a,x:z@b", /different credentials/],
  ["x:100%@a", /percent-encoded/],
  ["nats://x:pass,word@a", /"…".*port/],
];

describe("parseServerUrls", () => {
  for (const [text, expected] of good) {
    it(`understands "${text}"`, () => {
      assert.deepEqual(parseServerUrls(text), expected);
    });
  }

  for (const [text, reason] of bad) {
    it(`refuses "${text}"`, () => {
      assert.throws(
        () => parseServerUrls(text),
        (error) => {
          assert.ok(error instanceof NexError);
          assert.equal(error.code, "NATS_URL_INVALID");
          assert.match(error.message, reason);
          assert.ok(error.hint);
          return true;
        },
      );
    });
  }

  it("gives back any user, password, host and port that were percent-encoded into a URL", () => {
    const word = fc.string({ minLength: 1, unit: "grapheme" });
    fc.assert(
      fc.property(
        word,
        fc.string(),
        fc.domain(),
        fc.integer({ min: 1, max: 65_535 }),
        (user, password, host, port) => {
          const url = `nats://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}`;
          const parsed = parseServerUrls(url);
          assert.deepEqual(parsed, {
            ...plain,
            urls: [`nats://${host.toLowerCase()}:${port}`],
            user,
            password,
          });
        },
      ),
    );
  });

  it("never shows the password in an error", () => {
    const password = fc.stringMatching(/^[A-Za-z0-9%:/?#@[\] ,]{0,8}hunter2[A-Za-z0-9%:/?#[\] ,]{0,8}$/);
    fc.assert(
      fc.property(password, fc.string(), (secret, host) => {
        try {
          parseServerUrls(`nats://joe:${secret}@${host.replaceAll(/[,@]|hunter2/g, "")}`);
        } catch (error) {
          assert.ok(error instanceof NexError);
          assert.doesNotMatch(error.message, /hunter2/);
        }
      }),
    );
  });
});
