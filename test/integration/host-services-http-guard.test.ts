// The http service by itself, with names that resolve as the test says: rebinding, redirects to names, certificates, credentials.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { CallTime } from "../../src/host-services/host/call-time.ts";
import { createHttpService } from "../../src/host-services/host/http/http.ts";
import type { HttpServiceOptions } from "../../src/host-services/host/http/http.ts";
import { makeAuthority } from "../support/certificates.ts";
import { startHttpPeer } from "../support/start-http-peer.ts";
import type { HttpPeer } from "../support/start-http-peer.ts";

let peer: HttpPeer;

before(async () => {
  peer = await startHttpPeer({
    answer: ({ url, headers }, response) => {
      const target = new URL(url, "http://x").searchParams.get("to");
      if (target !== null) response.writeHead(307, { location: target }).end();
      else if (url === "/binary") response.end(Buffer.from([0, 255]));
      else
        response.end(JSON.stringify([headers.host, headers.authorization ?? null, headers.cookie ?? null]));
    },
  });
});
after(async () => peer[Symbol.asyncDispose]());

interface Result {
  readonly status: number;
  readonly body: string;
  readonly body_base64?: string;
  readonly url: string;
}

async function get(
  options: Partial<HttpServiceOptions>,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const service = createHttpService({ allow: [], maxBodyBytes: 1000, tls: { verify: true }, ...options });
  const call = {
    service: "http",
    method: "get",
    headers: { "x-http-url": url, ...headers },
    body: new Uint8Array(0),
  };
  const time = new CallTime(5000);
  const { body } = await service(call, time);
  time.end();
  return JSON.parse(Buffer.from(body).toString()) as Result;
}

/** Names that resolve to these addresses, one after the other; the last one stays. */
function names(
  table: Readonly<Record<string, readonly string[]>>,
): NonNullable<HttpServiceOptions["resolveHost"]> {
  const asked: Record<string, number> = {};
  return async (host) => {
    const answers = table[host] ?? [];
    const index = Math.min(asked[host] ?? 0, answers.length - 1);
    asked[host] = index + 1;
    return (answers[index] ?? "")
      .split(",")
      .map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
}

test("a name that points to a forbidden address is refused, also when it pointed elsewhere a moment ago", async () => {
  const before = peer.requests.length;
  const rebinding = names({ "rebind.example": ["127.0.0.1"] });
  await assert.rejects(get({ resolveHost: rebinding }, `http://rebind.example:${peer.port}/`), {
    status: 403,
  });
  assert.equal(peer.requests.length, before);
  // Allowed by its address at first, then pointing at a forbidden one: the second request is a redirect to the same name.
  const moving = names({ "moving.example": ["127.0.0.1", "127.0.0.2"] });
  const url = `http://moving.example:${peer.port}/?to=/again`;
  await assert.rejects(get({ resolveHost: moving, allow: ["127.0.0.1"] }, url), { status: 403 });
  assert.deepEqual(
    peer.requests.slice(before).map(({ url }) => url),
    ["/?to=/again"],
  );
});

test("the address that was checked is the one connected to, with one lookup a request", async () => {
  let lookups = 0;
  const resolveHost: HttpServiceOptions["resolveHost"] = async () => {
    lookups += 1;
    return [{ address: lookups === 1 ? "127.0.0.1" : "127.0.0.2", family: 4 }];
  };
  const { status } = await get({ resolveHost, allow: ["127.0.0.1"] }, `http://once.example:${peer.port}/`);
  assert.deepEqual([status, lookups], [200, 1]);
});

test("of several addresses only the allowed ones are tried", async () => {
  const resolveHost = names({ "mixed.example": ["10.0.0.1,::1,127.0.0.1,fe80::1"] });
  const { status } = await get({ resolveHost, allow: ["127.0.0.0/8"] }, `http://mixed.example:${peer.port}/`);
  assert.equal(status, 200);
});

test("a redirect to a name that points inside is refused", async () => {
  const resolveHost = names({ "outside.example": ["127.0.0.1"], "inside.example": ["192.168.1.1"] });
  const url = `http://outside.example:${peer.port}/?to=${encodeURIComponent("http://inside.example/")}`;
  await assert.rejects(
    get({ resolveHost, allow: ["127.0.0.1"] }, url),
    /"inside.example" has a private address/,
  );
});

test("a host that is allowed by name may be anywhere", async () => {
  const resolveHost = names({ "api.internal": ["127.0.0.1"] });
  const { body, url } = await get(
    { resolveHost, allow: ["api.internal"] },
    `http://API.internal:${peer.port}/x`,
  );
  assert.equal(JSON.parse(body)[0], `api.internal:${peer.port}`);
  assert.equal(url, `http://api.internal:${peer.port}/x`);
});

test("credentials go to the origin they were given for, and no further", async () => {
  const resolveHost = names({ "a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"] });
  const options = { resolveHost, allow: ["127.0.0.1"] };
  const headers = { "x-http-headers": JSON.stringify({ authorization: "Bearer x", Cookie: "c=1" }) };
  const target = (host: string): string => encodeURIComponent(`http://${host}:${peer.port}/end`);
  const sent = async (url: string, given = headers): Promise<unknown[]> =>
    JSON.parse((await get(options, url, given)).body).slice(1);
  assert.deepEqual(await sent(`http://a.example:${peer.port}/`), ["Bearer x", "c=1"]);
  assert.deepEqual(await sent(`http://a.example:${peer.port}/?to=${target("a.example")}`), [
    "Bearer x",
    "c=1",
  ]);
  assert.deepEqual(await sent(`http://a.example:${peer.port}/?to=${target("b.example")}`), [null, null]);
  const basic = `Basic ${Buffer.from("u:p w").toString("base64")}`;
  const none = { "x-http-headers": "" };
  assert.deepEqual(await sent(`http://u:p%20w@a.example:${peer.port}/`, none), [basic, null]);
  assert.deepEqual(await sent(`http://u:p@a.example:${peer.port}/?to=${target("b.example")}`, none), [
    null,
    null,
  ]);
});

test("a manual redirect is answered, not followed, and binary bodies come as base64, too", async () => {
  const options = { allow: ["127.0.0.1"] };
  const { status } = await get(options, `${peer.origin}/?to=/x`, { "x-http-redirect": "manual" });
  assert.equal(status, 307);
  const { body, body_base64 } = await get(options, `${peer.origin}/binary`);
  assert.deepEqual([body, body_base64], ["\0\uFFFD", "AP8="]);
});

test("certificates are checked against the name, unless the configuration says otherwise", async () => {
  await using authority = await makeAuthority();
  const { certFile, keyFile } = await authority.issue("server", ["DNS:good.example", "IP:127.0.0.1"]);
  const tls = { cert: await readFile(certFile, "utf8"), key: await readFile(keyFile, "utf8") };
  await using secure = await startHttpPeer({
    tls,
    answer: (_request, response) => void response.end("safe"),
  });
  const ca = await readFile(authority.caFile, "utf8");
  const resolveHost = names({ "good.example": ["127.0.0.1"], "bad.example": ["127.0.0.1"] });
  const options = { resolveHost, allow: ["127.0.0.1"] };
  const trusting = { ...options, tls: { verify: true, ca } };
  assert.equal((await get(trusting, `https://good.example:${secure.port}/`)).body, "safe");
  assert.equal((await get(trusting, `${secure.origin}/`)).body, "safe");
  await assert.rejects(
    get(trusting, `https://bad.example:${secure.port}/`),
    /http request failed: .*altnames/,
  );
  await assert.rejects(get(options, `${secure.origin}/`), /http request failed: .*certificate/);
  const careless = { ...options, tls: { verify: false } };
  assert.equal((await get(careless, `https://bad.example:${secure.port}/`)).body, "safe");
});
