/**
 * The stock, on `shop.stock.*`: `set` says how much of each article there is, `reserve` takes some of it, all or nothing.
 * The waiting form of the host services, which reads like any other code; one invocation runs at a time when it is deployed
 * with `--concurrency=1`, so that two customers never get the same last article.
 */
import { defineFunction } from "nex/functions";
import "nex/functions/globals";
import type { Cart } from "./lib/cart.ts";

const KEY = "stock";

export default defineFunction((subject, payload) => {
  const wanted = JSON.parse(new TextDecoder().decode(payload)) as Cart;
  if (subject.endsWith(".set")) {
    hostServices.kv.set(KEY, JSON.stringify(wanted));
    return wanted;
  }
  const stock = JSON.parse(new TextDecoder().decode(hostServices.kv.get(KEY))) as Cart;
  const missing = Object.keys(wanted).filter((article) => (stock[article] ?? 0) < (wanted[article] ?? 0));
  if (missing.length > 0) return { missing };
  for (const [article, quantity] of Object.entries(wanted)) stock[article] = (stock[article] ?? 0) - quantity;
  hostServices.kv.set(KEY, JSON.stringify(stock));
  return { missing };
});
