import assert from "node:assert/strict";
import { test } from "node:test";
import { answerMetadataRequest } from "./metadata-answer.ts";
import type { MetadataAnswer, PublishedMetadata } from "./metadata-answer.ts";
import { MetadataTokens } from "./metadata-tokens.ts";

const DOCUMENT = { vmid: "vm1", node_nats_port: 4222 };

function published(): PublishedMetadata {
  return { document: DOCUMENT, tokens: new MetadataTokens() };
}

function ask(
  text: string,
  { headers = {}, machine }: { headers?: Record<string, string>; machine?: PublishedMetadata } = {},
): MetadataAnswer {
  const [method = "", url = ""] = text.split(" ");
  return answerMetadataRequest({ method, url, headers }, machine);
}

const LIFETIME = { "x-metadata-token-ttl-seconds": "60" };

test("a token opens the whole document and each value of it", () => {
  const machine = published();
  const issued = ask("PUT /latest/api/token", { headers: LIFETIME, machine });
  assert.equal(issued.status, 200);
  assert.equal(issued.headers["x-metadata-token-ttl-seconds"], "60");
  const token = { "x-metadata-token": issued.body };
  const get = (path: string, accept?: string): MetadataAnswer =>
    ask(`GET ${path}`, { headers: accept === undefined ? token : { ...token, accept }, machine });
  const json = "application/json";
  assert.deepEqual(JSON.parse(get("/", json).body), DOCUMENT);
  assert.deepEqual(JSON.parse(get("http://169.254.169.254//?x", `text/html, ${json};q=0.9`).body), DOCUMENT);
  assert.equal(get("/node_nats_port", json).body, "4222");
  assert.equal(get("//vmid/").body, "vm1");
  assert.equal(get("/", "*/*").body, "node_nats_port\nvmid");
  assert.equal(get("/node_nats_port", "text/plain").status, 501);
  for (const path of ["/nothing", "/vmid/more", "/constructor", "/latest/api/token"]) {
    assert.equal(get(path, json).status, 404, path);
  }
  assert.equal(get("/", "text/html").status, 406);
});

test("requests that MMDS refuses are refused with its status", () => {
  const machine = published();
  const put = (headers: Record<string, string>): number =>
    ask("PUT /latest/api/token", { headers, machine }).status;
  assert.equal(put({}), 400);
  for (const text of ["0", "21601", "-1", "1.5", "", "999999999", "ten"]) {
    assert.equal(put({ "x-metadata-token-ttl-seconds": text }), 400, text);
  }
  assert.equal(put({ "x-metadata-token-ttl-seconds": "21600" }), 200);
  assert.equal(put({ ...LIFETIME, "x-forwarded-for": "10.0.0.1" }), 400);
  assert.equal(ask("PUT /", { headers: LIFETIME, machine }).status, 404);
  assert.equal(ask("GET /", { machine }).status, 401);
  assert.equal(ask("GET /", { headers: { "x-metadata-token": "guess" }, machine }).status, 401);
  assert.equal(ask("GET *", { machine }).status, 400);
  for (const method of ["POST", "PATCH", "HEAD", "DELETE", "OPTIONS"]) {
    assert.equal(ask(`${method} /`, { machine }).status, 405, method);
  }
  assert.equal(ask("POST /", { machine }).headers["allow"], "GET, PUT");
});

test("who has no metadata gets no token, and nobody another one's", () => {
  const [machine, other] = [published(), published()];
  assert.equal(ask("PUT /latest/api/token", { headers: LIFETIME }).status, 404);
  const token = ask("PUT /latest/api/token", { headers: LIFETIME, machine }).body;
  assert.equal(ask("GET /", { headers: { "x-metadata-token": token }, machine: other }).status, 401);
  assert.equal(ask("GET /", { headers: { "x-metadata-token": token } }).status, 401);
});

test("tokens expire, and the oldest goes when there are many", () => {
  const tokens = new MetadataTokens();
  const first = tokens.issue(2, 1000);
  assert.equal(tokens.isGood(first, 2999), true);
  assert.equal(tokens.isGood(first, 3000), false);
  assert.equal(tokens.isGood(first, 1000), false);
  const many = Array.from({ length: 65 }, () => tokens.issue(60, 0));
  assert.deepEqual(
    many.map((token) => tokens.isGood(token, 1)),
    [false, ...Array.from({ length: 64 }, () => true)],
  );
});
