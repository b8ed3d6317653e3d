import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { silentLogger } from "../../src/lib/logger.ts";
import { startMetadataService } from "../../src/sandbox/metadata/metadata-service.ts";
import type { MetadataService } from "../../src/sandbox/metadata/metadata-service.ts";
import { until } from "../support/until.ts";

// Linux answers on all of 127.0.0.0/8, so that machines can be told apart by their source addresses here.
const skip = process.platform === "linux" ? false : "needs a whole network of loopback addresses";
const HOST = "127.0.0.1";
const start = (): Promise<MetadataService> =>
  startMetadataService({ host: HOST, port: 0, logger: silentLogger });

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

async function ask(
  { port }: MetadataService,
  line: string,
  { from = "127.0.0.2", headers = {} }: { from?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const [method = "", path = ""] = line.split(" ");
  const outgoing = request({ host: HOST, port, method, path, headers, localAddress: from, agent: false });
  outgoing.end();
  const [response] = await once(outgoing, "response");
  return { status: response.statusCode, body: await text(response) };
}

async function tokenFor(service: MetadataService, from: string): Promise<string> {
  const headers = { "X-metadata-token-ttl-seconds": "60" };
  return (await ask(service, "PUT /latest/api/token", { from, headers })).body;
}

test("MetadataService serves each address its own document until it is withdrawn", { skip }, async () => {
  await using service = await start();
  const first = service.publish("127.0.0.2", { vmid: "first" });
  using _second = service.publish("127.0.0.3", { vmid: "second" });
  const token = await tokenFor(service, "127.0.0.2");
  const get = (from: string): Promise<Answer> =>
    ask(service, "GET /", { from, headers: { "X-metadata-token": token, Accept: "application/json" } });
  assert.deepEqual(await get("127.0.0.2"), { status: 200, body: '{"vmid":"first"}' });
  assert.equal((await get("127.0.0.3")).status, 401);
  assert.equal((await get("127.0.0.4")).status, 401);

  // The address of a machine that ended may be given to another one, which its tokens are not for.
  first[Symbol.dispose]();
  assert.equal((await get("127.0.0.2")).status, 401);
  using _next = service.publish("127.0.0.2", { vmid: "next" });
  first[Symbol.dispose]();
  assert.equal((await get("127.0.0.2")).status, 401);
  const headers = {
    "X-metadata-token": await tokenFor(service, "127.0.0.2"),
    Accept: "application/json",
  };
  assert.equal((await ask(service, "GET /", { headers })).body, '{"vmid":"next"}');
});

test(
  "a machine that holds connections and sends nothing keeps no other from its metadata",
  { skip },
  async () => {
    await using service = await start();
    using _published = service.publish("127.0.0.3", { vmid: "other" });
    const sockets = Array.from({ length: 50 }, () =>
      connect({ host: HOST, port: service.port, localAddress: "127.0.0.2" }).on("error", () => {}),
    );
    // Those beyond the limit are closed at once, those within it by its time-outs.
    let open = sockets.length;
    for (const socket of sockets) socket.resume().once("close", () => open--);
    await until(() => open <= 8, { message: "the surplus connections stay open" });
    assert.match(await tokenFor(service, "127.0.0.3"), /^[\w-]{43}$/);
    await until(() => open === 0, { timeoutMs: 30_000, message: "silent connections stay open" });
  },
);

test("MetadataService refuses headers without end and closes after a body", { skip }, async () => {
  await using service = await start();
  const large = await ask(service, "GET /", { headers: { "X-filler": "x".repeat(5000) } });
  assert.equal(large.status, 431);
  const socket = connect({ host: HOST, port: service.port, localAddress: "127.0.0.2" });
  socket.write("PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nsome");
  assert.match(await text(socket), /^HTTP\/1\.1 400 [^]*connection: close/i);
});

test("a metadata service that cannot listen says where, and disposing twice is fine", { skip }, async () => {
  await assert.rejects(startMetadataService({ host: "192.0.2.1", port: 0, logger: silentLogger }), {
    code: "SANDBOX_UNAVAILABLE",
    message: /^Cannot serve metadata at "192\.0\.2\.1": /,
  });
  const service = await start();
  await service[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});
