/**
 * The shop on the web: a small HTTP server beside NATS that hands `POST /api/cart/add` to `shop.api.cart.add`, and has the
 * price list at `/prices.json`. An ordinary program: `node examples/shop/gateway.ts` (Node.js 24).
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "@nats-io/transport-node";

const PRICES = { apple: 30, bread: 280, cheese: 640 };
const MAX_BODY_BYTES = 65_536;
const TIMEOUT_MS = 5000;

const connection = await connect({ servers: process.env["NATS_URL"] ?? "nats://127.0.0.1:4222" });
const server = createServer((request, response) => void answer(request, response));
server.listen(Number(process.env["PORT"] ?? 8080), "127.0.0.1", () => {
  console.log(`shop at http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    server.close();
    server.closeAllConnections();
    void connection.drain();
  });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = "" } = request;
  if (method === "GET" && url === "/prices.json") {
    send(response, 200, JSON.stringify(PRICES));
    return;
  }
  const [, subject] = /^\/api\/(cart\/[a-z]+)$/.exec(url) ?? [];
  if (method !== "POST" || subject === undefined) {
    send(response, 404, '{"error":"not found"}');
    return;
  }
  try {
    const body = await bodyOf(request);
    const reply = await connection.request(`shop.api.${subject.replace("/", ".")}`, body, {
      timeout: TIMEOUT_MS,
    });
    const failure = reply.headers?.get("Nats-Service-Error") ?? "";
    if (failure === "") send(response, 200, reply.string());
    else send(response, 422, JSON.stringify({ error: failure }));
  } catch (error) {
    send(response, 503, JSON.stringify({ error: `the shop is closed: ${String(error)}` }));
  }
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${body}\n`);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += String(chunk);
    if (body.length > MAX_BODY_BYTES) throw new Error("the body is too large");
  }
  return body;
}
