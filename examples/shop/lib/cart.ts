import "nex/functions/globals";

/** How many of each article, by its name. */
export type Cart = Record<string, number>;

const { kv } = hostServices.async;

/** The cart of a customer; an empty one when there is none yet. */
export async function loadCart(customer: string): Promise<Cart> {
  try {
    return JSON.parse(new TextDecoder().decode(await kv.get(keyOf(customer)))) as Cart;
  } catch (error) {
    if (String(error).includes("(404)")) return {};
    throw error;
  }
}

export async function saveCart(customer: string, cart: Cart): Promise<void> {
  await kv.set(keyOf(customer), JSON.stringify(cart));
}

export async function emptyCart(customer: string): Promise<void> {
  await kv.delete(keyOf(customer));
}

/** Keys allow few characters; names of customers allow all. */
function keyOf(customer: string): string {
  return `cart.${btoa(String.fromCharCode(...new TextEncoder().encode(customer))).replaceAll("+", "-")}`;
}
