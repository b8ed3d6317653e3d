/**
 * The shop's API, on `shop.api.>`: the last two words of the subject say what to do, the payload is JSON.
 *
 *   shop.api.cart.add      {"customer", "article", "quantity"}   puts something into the cart      (kv)
 *   shop.api.cart.show     {"customer"}                          the cart with today's prices      (kv, http)
 *   shop.api.cart.checkout {"customer"}                          reserves, writes the receipt,
 *                                                                tells everybody  (messaging, objectStore)
 */
import { defineFunction } from "nex/functions";
import "nex/functions/globals";
import { emptyCart, loadCart, saveCart } from "./lib/cart.ts";
import type { Cart } from "./lib/cart.ts";
import { receiptText } from "./lib/order.ts";
import type { Order, OrderLine } from "./lib/order.ts";

/** What callers send. */
interface Request {
  readonly customer: string;
  readonly article?: string;
  readonly quantity?: number;
}

const { messaging, objectStore } = hostServices.async;

export default defineFunction(async (subject, payload) => {
  const request = parseRequest(payload);
  switch (subject.split(".").slice(2).join(".")) {
    case "cart.add":
      return addToCart(request);
    case "cart.show":
      return showCart(request);
    case "cart.checkout":
      return checkOut(request);
    default:
      throw new Error(`the shop does not know ${subject}`);
  }
});

async function addToCart({ customer, article, quantity = 1 }: Request): Promise<Cart> {
  if (article === undefined) throw new TypeError("article is missing");
  if (!Number.isInteger(quantity) || quantity < 1)
    throw new RangeError("quantity must be a whole number from 1");
  const cart = await loadCart(customer);
  cart[article] = (cart[article] ?? 0) + quantity;
  await saveCart(customer, cart);
  return cart;
}

async function showCart({ customer }: Request): Promise<object> {
  const [cart, prices] = await Promise.all([loadCart(customer), loadPrices()]);
  const lines = linesOf(cart, prices);
  return { customer, lines, total: totalOf(lines) };
}

async function checkOut({ customer }: Request): Promise<Order> {
  const [cart, prices] = await Promise.all([loadCart(customer), loadPrices()]);
  const lines = linesOf(cart, prices);
  if (lines.length === 0) throw new Error("the cart is empty");
  const reserved = await messaging.request("shop.stock.reserve", JSON.stringify(cart));
  const { missing } = JSON.parse(new TextDecoder().decode(reserved)) as {
    readonly missing: readonly string[];
  };
  if (missing.length > 0) throw new Error(`not enough of ${missing.join(", ")}`);
  const order = { id: crypto.randomUUID(), customer, lines, total: totalOf(lines) };
  const receipt = `receipts/${order.id}.txt`;
  await objectStore.put(receipt, receiptText(order));
  await emptyCart(customer);
  await messaging.publish("shop.orders.placed", JSON.stringify({ ...order, receipt }));
  console.log(`order ${order.id}: ${lines.length} articles, ${order.total} cents`);
  return { ...order, receipt };
}

/** Prices in cents by article, from the web: PRICES_URL is a variable of the deploy. */
async function loadPrices(): Promise<Readonly<Record<string, number>>> {
  const response = await fetch(env["PRICES_URL"] ?? "");
  if (!response.ok) throw new Error(`the price list answered ${response.status}`);
  return (await response.json()) as Record<string, number>;
}

function linesOf(cart: Cart, prices: Readonly<Record<string, number>>): OrderLine[] {
  return Object.entries(cart).map(([article, quantity]) => {
    const price = prices[article];
    if (price === undefined) throw new Error(`there is no price for ${article}`);
    return { article, quantity, price };
  });
}

function totalOf(lines: readonly OrderLine[]): number {
  return lines.reduce((total, { quantity, price }) => total + quantity * price, 0);
}

function parseRequest(payload: Uint8Array): Request {
  const request = JSON.parse(new TextDecoder().decode(payload)) as Partial<Request>;
  if (typeof request.customer !== "string" || request.customer === "")
    throw new TypeError("customer is missing");
  return { ...request, customer: request.customer };
}
