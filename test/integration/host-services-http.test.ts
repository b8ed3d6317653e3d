// http as functions see it: a real node, a JavaScript function, a peer on loopback that the configuration allows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { brotliCompressSync, deflateRawSync, gzipSync } from "node:zlib";
import { deployRemoteFunction } from "../support/remote-function.ts";
import type { RemoteFunction } from "../support/remote-function.ts";
import { startHttpPeer } from "../support/start-http-peer.ts";
import type { HttpPeer, PeerRequest } from "../support/start-http-peer.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

let it: TestNode;
let peer: HttpPeer;
let open: RemoteFunction;

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly response: string;
}

const get = async (path: string): Promise<Answer> =>
  (await open.call("http", "get", `${peer.origin}${path}`)) as Answer;
const lastRequest = (): PeerRequest => {
  const last = peer.requests.at(-1);
  assert.ok(last);
  return last;
};

before(async () => {
  peer = await startHttpPeer({
    answer: ({ url, method }, response) => {
      const [path = ""] = url.split("?");
      const encodings: Record<string, (text: string) => Buffer> = {
        gzip: gzipSync,
        deflate: deflateRawSync,
        br: brotliCompressSync,
      };
      const [, kind = "", value = ""] = path.split("/");
      switch (kind) {
        case "encoded":
          response.setHeader("content-encoding", value).end(encodings[value]?.("pâcked"));
          break;
        case "status":
          response.writeHead(Number(value)).end();
          break;
        case "cookies":
          response
            .writeHead(
              200,
              [
                ["set-COOKIE", "a=1"],
                ["Set-Cookie", "b=2"],
              ].flat(),
            )
            .end("ok");
          break;
        case "slow":
          break;
        case "endless":
          response.writeHead(200).write("x");
          setInterval(() => response.write("x"), 20).unref();
          break;
        case "large":
          response.end("x".repeat(50_001));
          break;
        case "bomb":
          response.setHeader("content-encoding", "gzip").end(gzipSync(Buffer.alloc(1_000_000)));
          break;
        case "cut":
          response.writeHead(200, { "content-length": "100" });
          response.write("x", () => response.destroy());
          break;
        case "loop":
          response.writeHead(302, { location: "/loop" }).end();
          break;
        case "to-metadata":
          response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end();
          break;
        case "to-file":
          response.writeHead(302, { location: "file:///etc/passwd" }).end();
          break;
        case "redirect":
          response.writeHead(Number(value), { location: "/target?x=1" }).end("moved");
          break;
        default:
          response.end(`${method} ${url}`);
      }
    },
  });
  it = await startTestNode({
    configuration: {
      machine_pool_size: 2,
      host_services: {
        services: {
          http: { enabled: true, config: { allow: ["127.0.0.1"], timeout_ms: 400, max_body_bytes: 50_000 } },
        },
      },
    },
  });
  open = await deployRemoteFunction(it, { name: "open" });
});
after(async () => {
  await it[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
});

test("http sends every method with its path, query and body as given", async () => {
  for (const method of ["get", "post", "put", "patch", "delete", "del", "head"]) {
    const url = `${peer.origin}//a%20b/%2F?q=1&r=a%26b`;
    const { status, response } = (await open.call("http", method, url, "bödy")) as Answer;
    const wire = method === "del" ? "DELETE" : method.toUpperCase();
    assert.deepEqual([status, response], [200, method === "head" ? "" : `${wire} //a%20b/%2F?q=1&r=a%26b`]);
    assert.deepEqual([lastRequest().method, lastRequest().body.toString()], [wire, "bödy"]);
    assert.equal(lastRequest().headers["content-type"], "text/plain");
    assert.equal(lastRequest().headers["content-length"], "5");
  }
  await get("/plain");
  assert.equal(lastRequest().headers["content-length"], undefined);
  assert.match(lastRequest().headers["accept-encoding"] ?? "", /gzip, deflate, br/);
});

test("http answers statuses, all values of a header and decoded bodies", async () => {
  assert.deepEqual([(await get("/status/204")).status, (await get("/status/404")).status], [204, 404]);
  assert.equal((await get("/status/500")).response, "");
  assert.equal((await get("/cookies")).headers["Set-Cookie"], "a=1, b=2");
  for (const encoding of ["gzip", "deflate", "br"])
    assert.equal((await get(`/encoded/${encoding}`)).response, "pâcked", encoding);
});

test("http follows redirects with the right method, and not for ever", async () => {
  for (const [status, method, expected, body] of [
    [301, "post", "GET", ""],
    [302, "put", "PUT", "x"],
    [303, "put", "GET", ""],
    [307, "post", "POST", "x"],
    [308, "patch", "PATCH", "x"],
  ] as const) {
    const { response } = (await open.call(
      "http",
      method,
      `${peer.origin}/redirect/${status}`,
      "x",
    )) as Answer;
    assert.equal(response, `${expected} /target?x=1`, String(status));
    assert.equal(lastRequest().body.toString(), body);
    assert.equal(lastRequest().headers["content-type"], body === "" ? undefined : "text/plain");
  }
  await assert.rejects(get("/loop"), /http request failed: stopped after 10 redirects \(500\)$/);
  await assert.rejects(get("/to-file"), /unsupported protocol scheme "file" \(400\)$/);
});

test("http reaches no address that is not allowed, also behind a redirect or a name", async () => {
  await assert.rejects(get("/to-metadata"), /"169.254.169.254" has a metadata service address, .*\(403\)$/);
  for (const host of [
    "[::1]",
    "0.0.0.0",
    "127.1.1.1",
    "10.0.0.1",
    "[::ffff:7f01:101]",
    "2130772225",
    "0x7f.1.1.1",
  ]) {
    await assert.rejects(open.call("http", "get", `http://${host}:${peer.port}/`), /\(403\)$/, host);
  }
  for (const url of ["ftp://127.0.0.1/", "file:///etc/passwd", "data:,x"])
    await assert.rejects(open.call("http", "get", url), /unsupported protocol scheme .*\(400\)$/, url);
});

test("http ends slow, endless, large, growing and broken answers within its limits, and keeps no connection", async () => {
  await assert.rejects(get("/slow"), /http request failed: no answer within 400 ms \(500\)$/);
  await assert.rejects(get("/endless"), /http request failed: no answer within 400 ms \(500\)$/);
  await assert.rejects(get("/large"), /the answer exceeds the limit of 50000 bytes \(413\)$/);
  await assert.rejects(get("/bomb"), /the answer exceeds the limit of 50000 bytes \(413\)$/);
  await assert.rejects(get("/cut"), /http request failed: aborted \(500\)$/);
  await assert.rejects(
    open.call("http", "post", peer.origin, "x".repeat(50_001)),
    /the body of 50001 bytes exceeds .*\(413\)$/,
  );
  await assert.rejects(
    open.call("http", "get", "http://127.0.0.1:1/"),
    /http request failed: connect ECONNREFUSED .*\(500\)$/,
  );
  await until(async () => (await peer.connections()) === 0);
});

test("http refuses loopback unless the node's configuration allows it", async () => {
  await using closed = await startTestNode();
  const remote = await deployRemoteFunction(closed, { name: "closed" });
  const before = peer.requests.length;
  for (const host of ["127.0.0.1", "localhost"]) {
    await assert.rejects(
      remote.call("http", "get", `http://${host}:${peer.port}/`),
      /has a loopback address, .*\(403\)$/,
    );
  }
  assert.equal(peer.requests.length, before);
});
