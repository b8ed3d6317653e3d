/** Writes to customers, on `shop.orders.placed`: reads the receipt and "mails" it, to the workload's log. */
import { defineFunction } from "nex/functions";
import "nex/functions/globals";
import type { Order } from "./lib/order.ts";

export default defineFunction((_subject, payload) => {
  const { customer, receipt } = JSON.parse(new TextDecoder().decode(payload)) as Order;
  const text = new TextDecoder().decode(hostServices.objectStore.get(receipt));
  console.log(`mail to ${customer}: ${text.split("\n").filter(Boolean).join("; ")}`);
});
