import assert from "node:assert/strict";
import { test } from "node:test";
import { createSigningKey } from "../control-api/keys.ts";
import type { SigningKey } from "../control-api/keys.ts";
import { readAuthorizationRequest } from "./authorization-request.ts";
import type { AuthorizationRequest } from "./authorization-request.ts";

const server = createSigningKey("server");
const other = createSigningKey("server");
const issuer = createSigningKey("account");
const client = createSigningKey("user");
const friend = createSigningKey("user");
const subject = createSigningKey("user").publicKey;
const parties = { server: server.publicKey, issuer };
const NONCE = "bm9uY2U";

function signed(key: SigningKey, text: string): string {
  return Buffer.from(key.sign(Buffer.from(text))).toString("base64url");
}

function craft(payload: object, key = server): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(payload)}`;
  return `${head}.${signed(key, head)}`;
}

const SERVER_ID = { name: "nex-internal", host: "127.0.0.1", id: server.publicKey, version: "2.12.15" };
const INFO = { host: "127.0.0.1", id: 7, kind: "Client", type: "nats", nonce: NONCE };
const OPTIONS = { nkey: client.publicKey, sig: signed(client, NONCE), lang: "nats.js", protocol: 1 };
const NATS = {
  server_id: SERVER_ID,
  user_nkey: subject,
  client_info: INFO,
  connect_opts: OPTIONS,
  type: "authorization_request",
  version: 2,
};
const GOOD = {
  aud: "nats-authorization-request",
  exp: Math.floor(Date.now() / 1000) + 60,
  jti: "J",
  iat: 1_720_000_000,
  iss: server.publicKey,
  sub: issuer.publicKey,
  nats: NATS,
};

const owners = new Map([client, friend].map((key) => [key.publicKey, key]));

function read(token: string): AuthorizationRequest<SigningKey> {
  return readAuthorizationRequest(token, parties, (publicKey) => owners.get(publicKey));
}

test("readAuthorizationRequest tells the connection, its owner and whom the answer is about", () => {
  const expected = { connection: 7, owner: client, subject };
  assert.deepEqual(read(craft(GOOD)), expected);
});

function withNats(changes: object): string {
  return craft({ ...GOOD, nats: { ...NATS, ...changes } });
}

function withOptions(changes: object): string {
  return withNats({ connect_opts: { ...OPTIONS, ...changes } });
}

const good = craft(GOOD);
const REFUSALS: readonly (readonly [string, string, RegExp])[] = [
  ["no token", "", /3 chunks/],
  ["another server's signature", craft(GOOD, other), /server's signature/],
  ["a changed signature", `${good.slice(0, good.lastIndexOf("."))}.AAAA`, /server's signature/],
  ["another server", craft({ ...GOOD, iss: other.publicKey }, other), /another server/],
  ["another server's id", withNats({ server_id: { ...SERVER_ID, id: other.publicKey } }), /another server/],
  ["another audience", craft({ ...GOOD, aud: "nats" }), /no authorization request/],
  ["another type", withNats({ type: "user" }), /no authorization request/],
  ["another issuer", craft({ ...GOOD, sub: createSigningKey("account").publicKey }), /another issuer/],
  ["a time limit in the past", craft({ ...GOOD, exp: 1_720_000_000 }), /expired/],
  ["no time limit", craft({ ...GOOD, exp: undefined }), /"exp" is missing/],
  ["no user", withNats({ user_nkey: issuer.publicKey }), /no user/],
  ["no connection", withNats({ client_info: { nonce: NONCE } }), /"nats.client_info.id" is missing/],
  ["no nonce", withNats({ client_info: { ...INFO, nonce: "" } }), /no key/],
  ["another nonce", withNats({ client_info: { ...INFO, nonce: "eA" } }), /does not own/],
  ["no key", withOptions({ nkey: undefined }), /no key/],
  ["a key of another kind", withOptions({ nkey: issuer.publicKey }), /no key/],
  ["a key that is not expected", withOptions({ nkey: createSigningKey("user").publicKey }), /not expected/],
  ["another expected key", withOptions({ nkey: friend.publicKey }), /does not own/],
  ["no signature of the client", withOptions({ sig: undefined }), /does not own/],
  ["the signature of another client", withOptions({ sig: signed(issuer, NONCE) }), /does not own/],
];

for (const [name, token, message] of REFUSALS) {
  test(`readAuthorizationRequest refuses ${name}`, () => {
    assert.throws(() => read(token), { name: "NexError", message });
  });
}
