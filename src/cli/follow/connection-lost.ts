import type { NatsConnection } from "@nats-io/transport-node";
import { errorText, NexError } from "../../lib/errors.ts";

/** The error for a stream that ended with its connection. Waits for the connection's end. */
export async function connectionLost(connection: NatsConnection): Promise<NexError> {
  const cause = await connection.closed();
  return new NexError({
    code: "NATS_CONNECTION_LOST",
    message: `The NATS connection is lost${cause instanceof Error ? `: ${errorText(cause)}` : ""}`,
    cause,
  });
}
