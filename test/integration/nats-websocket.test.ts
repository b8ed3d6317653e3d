import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, it } from "node:test";
import { connectToNats } from "../../src/nats/connect.ts";
import { startNats } from "../support/start-nats.ts";

// In a file of its own: the client library has one kind of transport per process.
describe("connectToNats over WebSockets", () => {
  it("connects, and refuses TCP servers and TLS files in the same process", async () => {
    const port = await freePort();
    const configText = `websocket: { host: "127.0.0.1", port: ${port}, no_tls: true }`;
    await using nats = await startNats({ jetstream: false, configText });
    const connection = await connectToNats({ servers: `ws://127.0.0.1:${port}` });
    await connection.flush();
    await connection.close();
    await assert.rejects(connectToNats({ servers: nats.url }), {
      code: "NATS_URL_INVALID",
      message: /cannot use both ws:\/\/ and nats:\/\//,
    });
    await assert.rejects(connectToNats({ servers: `wss://127.0.0.1:${port}`, tls: { caFile: "ca.pem" } }), {
      code: "NATS_URL_INVALID",
      message: /TLS options do not work over WebSockets/,
    });
  });

  it("says that nobody listens", async () => {
    const servers = `ws://127.0.0.1:${await freePort()}`;
    await assert.rejects(connectToNats({ servers }), { code: "NATS_UNREACHABLE" });
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
