/** What a customer has bought. */
export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly lines: readonly OrderLine[];
  /** In cents. */
  readonly total: number;
  /** Name of the receipt in the object store. */
  readonly receipt: string;
}

export interface OrderLine {
  readonly article: string;
  readonly quantity: number;
  /** Of one, in cents. */
  readonly price: number;
}

/** A receipt to print. */
export function receiptText({ id, customer, lines, total }: Omit<Order, "receipt">): string {
  const rows = lines.map(({ article, quantity, price }) => `${quantity} x ${article} at ${euros(price)}`);
  return [`Order ${id} for ${customer}`, ...rows, `Total ${euros(total)}`, ""].join("\n");
}

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} EUR`;
}
