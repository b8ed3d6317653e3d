import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import type { ConsumerMessages, JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import { nanos, nuid } from "@nats-io/nats-core";

/** A stream as a store uses it. */
export interface StreamAccess {
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly stream: string;
}

export interface LastMessagesOptions {
  /** Subjects to read, with wildcards. */
  readonly filter: string;
  readonly headersOnly: boolean;
  readonly signal: AbortSignal;
  readonly onMessage: (message: JsMsg) => void;
}

/** Least time the client accepts for a fetch. */
const FETCH_MS = 1000;
/** When the server forgets the consumer by itself, should we not come to delete it. */
const FORGET_MS = 10_000;

/**
 * Reads the last message of every matching subject. The consumer it takes is deleted at the end: those of the
 * bucket libraries stay on the server for minutes.
 */
export async function readLastMessages(access: StreamAccess, options: LastMessagesOptions): Promise<void> {
  const { client, manager, stream } = access;
  const { filter, headersOnly, signal, onMessage } = options;
  const { name, num_pending: count } = await manager.consumers.add(stream, {
    name: `nex_${nuid.next()}`,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.LastPerSubject,
    filter_subject: filter,
    headers_only: headersOnly,
    inactive_threshold: nanos(FORGET_MS),
    mem_storage: true,
  });
  let messages: ConsumerMessages | undefined;
  const stop = (): void => messages?.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    let left = count;
    while (left > 0 && !signal.aborted) {
      const consumer = await client.consumers.get(stream, name);
      messages = await consumer.fetch({ max_messages: left, expires: FETCH_MS });
      // What was replaced meanwhile is not delivered: an empty round ends it.
      left = await drain(messages, onMessage);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    messages?.stop();
    manager.consumers.delete(stream, name).catch(() => {});
  }
}

async function drain(messages: ConsumerMessages, onMessage: (message: JsMsg) => void): Promise<number> {
  let left = 0;
  for await (const message of messages) {
    onMessage(message);
    left = message.info.pending;
    if (left === 0) break;
  }
  return left;
}
