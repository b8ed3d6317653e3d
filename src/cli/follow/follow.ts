import type { NatsConnection } from "@nats-io/transport-node";
import { createControlClient } from "../../control-api/index.ts";
import type { ControlClient, Watch } from "../../control-api/index.ts";
import type { CommandContext } from "../command.ts";
import { openConnection, timeoutMs } from "../connection.ts";
import { endOnAbort } from "../end-on-abort.ts";
import { connectionLost } from "./connection-lost.ts";

/** What to follow, and how. */
export interface FollowOrder<Item> {
  /** Subscribes; the watches end with `signal`. */
  readonly start: (client: ControlClient, signal: AbortSignal) => Promise<readonly Watch<Item>[]>;
  /** What is said on stderr once everything is subscribed. */
  readonly title: string;
  /** Prints an item; false when it was left out. */
  readonly show: (item: Item) => boolean;
  /** Ends after that many items; without, at Ctrl-C. */
  readonly count: number | undefined;
}

type FollowContext = Pick<
  CommandContext,
  "global" | "sources" | "environment" | "build" | "signal" | "output" | "logger"
>;

/** Moves the cursor home and clears the screen of a terminal. */
const CLEAR_SCREEN = "\u001b[H\u001b[2J";

/**
 * Prints what arrives until Ctrl-C, over lost connections: they are logged when they go and come back.
 *
 * @throws {NexError} what `start` throws; `CONTROL_REQUEST_FAILED` when a subscription is refused
 */
export async function follow<Item>(context: FollowContext, order: FollowOrder<Item>): Promise<void> {
  const { signal, output } = context;
  await using opened = await openConnection(context, { forever: true });
  const { connection } = opened;
  const client = createControlClient({ connection, timeoutMs: timeoutMs(context.global) });
  const watches = await endOnAbort(order.start(client, signal), signal);
  if (output.columns !== undefined) output.raw(CLEAR_SCREEN);
  output.note(order.title);
  void reportInterruptions(connection, context);
  let shown = 0;
  const read = async (watch: Watch<Item>): Promise<void> => {
    for await (const item of watch) {
      if (shown === order.count) return;
      if (order.show(item)) shown++;
      if (shown === order.count) for (const each of watches) each.stop();
    }
  };
  try {
    await Promise.all(watches.map(read));
  } finally {
    for (const watch of watches) watch.stop();
  }
  if (!signal.aborted && shown !== order.count) throw await connectionLost(connection);
}

async function reportInterruptions(connection: NatsConnection, { logger }: FollowContext): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === "disconnect") logger.warn("Lost the NATS connection, trying to get it back");
    else if (type === "reconnect") logger.info("Connected to NATS again");
  }
}

/** The namespace to filter by; undefined for `*`, every namespace. */
export function namespaceFilter(namespace: string): string | undefined {
  return namespace === "*" ? undefined : namespace;
}
