/*
 * Draining as the client library does it waits for the server, and for ever when the server is gone.
 */
import type { NatsConnection, Subscription } from "@nats-io/transport-node";

/** How long the server may take to answer. */
const DRAIN_MS = 2000;

/** Ends subscriptions once what has arrived for them is delivered. Never rejects. */
export async function drainSubscriptions(subscriptions: readonly Subscription[]): Promise<void> {
  const drained = Promise.allSettled(subscriptions.map(async (subscription) => subscription.drain()));
  if (await settles(drained)) return;
  for (const subscription of subscriptions) subscription.unsubscribe();
}

/** Sends what is left and closes. Never rejects. */
export async function drainConnection(connection: NatsConnection): Promise<void> {
  if (connection.isClosed()) return;
  await settles(connection.drain().catch(() => {}));
  if (!connection.isClosed()) await connection.close();
}

async function settles(work: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, DRAIN_MS, false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
