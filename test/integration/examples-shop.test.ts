// examples/shop as its README runs it: the real command line, a real node and the web server in front.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Objm } from "@nats-io/obj";
import { LineSplitter } from "../../src/lib/line-splitter.ts";
import { startProcess } from "../../src/lib/managed-process.ts";
import type { ManagedProcess } from "../../src/lib/managed-process.ts";
import { parseConfiguration } from "../../src/node/configuration.ts";
import { collectLogs } from "../support/collect-events.ts";
import { runNex } from "../support/run-nex.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const root = dirname(dirname(import.meta.dirname));
const shop = join(root, "examples", "shop");
let it: TestNode;
let home = "";
let gateway: ManagedProcess;
let web = "";

before(async () => {
  home = await mkdtemp(join(tmpdir(), "nex-test-shop-"));
  const content: unknown = JSON.parse(await readFile(join(shop, "node.json"), "utf8"));
  parseConfiguration(content, "node.json");
  it = await startTestNode({ configuration: content as object });
  [gateway, web] = await startGateway();
  const prices = `PRICES_URL=${web}/prices.json`;
  await devrun("shop.ts", "--trigger_subject=shop.api.>", prices);
  await devrun("stock.ts", "--trigger_subject=shop.stock.*");
  await devrun("mailer.ts", "--trigger_subject=shop.orders.placed");
  await it.connection.request("shop.stock.set", JSON.stringify({ apple: 5, bread: 1 }), { timeout: 9000 });
});
after(async () => {
  await gateway.stop();
  await it[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

async function startGateway(): Promise<[ManagedProcess, string]> {
  const started = await startProcess({
    program: process.execPath,
    argv: [join(shop, "gateway.ts")],
    environment: { NATS_URL: it.nats.url, PORT: "0" },
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const lines = new LineSplitter((line) => resolve(line));
  started.child.stdout?.on("data", (chunk: Buffer) => lines.push(chunk));
  const [, url = ""] = /^shop at (.*)$/.exec(await promise) ?? [];
  return [started, url];
}

async function devrun(file: string, ...args: string[]): Promise<void> {
  const env = { HOME: home, NATS_URL: it.nats.url };
  const { code, stderr } = await runNex(["devrun", join(shop, file), ...args], { env });
  assert.deepEqual([code, stderr], [0, ""], file);
}

async function post(
  path: string,
  body: object,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${web}/api/${path}`, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

describe("examples/shop", () => {
  test("a customer fills the cart, sees today's prices and checks out; the receipt is stored and mailed", async () => {
    const logs = await collectLogs(it.connection);
    const customer = "Ada Lovelace";
    assert.deepEqual(await post("cart/add", { customer, article: "apple", quantity: 3 }), {
      status: 200,
      body: { apple: 3 },
    });
    assert.deepEqual((await post("cart/add", { customer, article: "bread" })).body, { apple: 3, bread: 1 });
    const lines = [
      { article: "apple", quantity: 3, price: 30 },
      { article: "bread", quantity: 1, price: 280 },
    ];
    assert.deepEqual((await post("cart/show", { customer })).body, { customer, lines, total: 370 });
    const { status, body } = await post("cart/checkout", { customer });
    const order = body as { readonly id: string; readonly receipt: string; readonly total: number };
    assert.deepEqual([status, order.total], [200, 370]);
    const receipts = await new Objm(it.connection).open("shop_receipts_default");
    const stored = new TextDecoder().decode((await receipts.getBlob(order.receipt)) ?? undefined);
    assert.match(
      stored,
      /^Order [0-9a-f-]{36} for Ada Lovelace\n3 x apple at 0\.30 EUR\n1 x bread at 2\.80 EUR\nTotal 3\.70 EUR\n$/,
    );
    await until(() => logs.some(({ text }) => text.startsWith(`mail to ${customer}: Order ${order.id}`)));
    assert.deepEqual((await post("cart/show", { customer })).body, { customer, lines: [], total: 0 });
  });

  test("what is not in stock stays in the cart, and the web says why", async () => {
    await post("cart/add", { customer: "Bob", article: "bread" });
    const { status, body } = await post("cart/checkout", { customer: "Bob" });
    assert.equal(status, 422);
    assert.match((body as { readonly error: string }).error, /not enough of bread/);
    const { body: cart } = await post("cart/show", { customer: "Bob" });
    assert.equal((cart as { readonly total: number }).total, 280);
  });

  test("nonsense gets an answer, too", async () => {
    for (const [path, request, reason] of [
      ["cart/add", { customer: "Eve" }, /article is missing/],
      ["cart/add", { customer: "Eve", article: "apple", quantity: -1 }, /quantity must be/],
      ["cart/checkout", { customer: "Eve" }, /the cart is empty/],
      ["cart/show", {}, /customer is missing/],
      ["cart/steal", { customer: "Eve" }, /does not know shop\.api\.cart\.steal/],
    ] as const) {
      const { status, body } = await post(path, request);
      assert.equal(status, 422, path);
      assert.match((body as { readonly error: string }).error, reason);
    }
    assert.equal((await fetch(`${web}/elsewhere`)).status, 404);
  });
});
