import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { NexError } from "../lib/errors.ts";
import { connectionError } from "./request-error.ts";

/**
 * A live stream of messages. Iterate it once; it ends when disposed, when the signal aborts, or with the connection.
 */
export interface Watch<Item> extends AsyncIterable<Item>, AsyncDisposable {
  /** Ends the stream. May be called more than once. */
  stop(): void;
}

export interface WatchInit<Item> {
  readonly connection: NatsConnection;
  readonly subject: string;
  /** Reads one message; undefined or a NexError drops it. */
  readonly read: (subject: string, bytes: Uint8Array) => Item | undefined;
  readonly signal: AbortSignal | undefined;
  /** For error texts: follows "Cannot". */
  readonly action: string;
}

/** Subscribes; when it resolves, the server has the subscription. Throws CONTROL_REQUEST_FAILED. */
export async function startWatch<Item>({
  connection,
  subject,
  read,
  signal,
  action,
}: WatchInit<Item>): Promise<Watch<Item>> {
  let subscription: Subscription;
  try {
    subscription = connection.subscribe(subject);
    await connection.flush();
  } catch (error) {
    throw connectionError(error, action);
  }
  const stop = (): void => {
    signal?.removeEventListener("abort", stop);
    subscription.unsubscribe();
  };
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted === true) stop();
  return {
    stop,
    async [Symbol.asyncDispose]() {
      stop();
    },
    async *[Symbol.asyncIterator]() {
      try {
        for await (const message of subscription) {
          const item = readOrDrop(read, message);
          if (item !== undefined) yield item;
        }
      } catch (error) {
        throw connectionError(error, action);
      } finally {
        stop();
      }
    },
  };
}

function readOrDrop<Item>(read: WatchInit<Item>["read"], message: Msg): Item | undefined {
  try {
    return read(message.subject, message.data);
  } catch (error) {
    if (error instanceof NexError) return undefined;
    throw error;
  }
}
