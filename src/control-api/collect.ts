import type { NatsConnection } from "@nats-io/nats-core";
import { NexError } from "../lib/errors.ts";
import { connectionError, isNoResponders } from "./request-error.ts";

/** A question to every node. */
export interface CollectInit<Result> {
  readonly connection: NatsConnection;
  readonly subject: string;
  readonly payload?: Uint8Array;
  /** How long replies are awaited. */
  readonly timeoutMs: number;
  /** Reads one reply; a NexError drops it. */
  readonly read: (bytes: Uint8Array) => Result;
  /** Ends the wait early once it says true about the replies so far. */
  readonly enough?: (results: readonly Result[]) => boolean;
  /** For error texts: follows "Cannot". */
  readonly action: string;
}

/**
 * Asks everybody and gathers what arrives in the window, in order of arrival. Nobody answering is an empty list.
 * Throws CONTROL_REQUEST_FAILED when the connection fails.
 */
export async function collect<Result>(init: CollectInit<Result>): Promise<readonly Result[]> {
  const results: Result[] = [];
  for await (const bytes of replies(init)) {
    const result = readOrDrop(init.read, bytes);
    if (result === undefined) continue;
    results.push(result.value);
    if (init.enough?.(results) === true) break;
  }
  return results;
}

async function* replies({
  connection,
  subject,
  payload,
  timeoutMs,
  action,
}: Omit<CollectInit<unknown>, "read" | "enough">): AsyncGenerator<Uint8Array, void> {
  try {
    const messages = await connection.requestMany(subject, payload, {
      strategy: "timer",
      maxWait: timeoutMs,
    });
    for await (const message of messages) yield message.data;
  } catch (error) {
    if (!isNoResponders(error)) throw connectionError(error, action);
  }
}

function readOrDrop<Result>(
  read: (bytes: Uint8Array) => Result,
  bytes: Uint8Array,
): { readonly value: Result } | undefined {
  try {
    return { value: read(bytes) };
  } catch (error) {
    if (error instanceof NexError) return undefined;
    throw error;
  }
}
