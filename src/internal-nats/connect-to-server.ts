import { connect } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { flushed } from "../agent-api/connection-end.ts";
import type { SigningKey } from "../control-api/keys.ts";
import { NexError, errorText } from "../lib/errors.ts";

/** One of the node's own users. */
export interface OwnUser {
  readonly key: SigningKey;
  /** What the server calls the connection. */
  readonly name: string;
  readonly inboxPrefix: string;
}

/**
 * A connection of the node to its internal server, made again whenever it ends.
 *
 * @throws {NexError} `NATS_CONNECT_FAILED`
 */
export async function connectToServer(
  url: string,
  { key, name, inboxPrefix }: OwnUser,
): Promise<NatsConnection> {
  try {
    return await connect({
      servers: url,
      name,
      // The client's own signs so slowly that the node would notice.
      authenticator: (nonce = "") => ({ nkey: key.publicKey, sig: signature(key, nonce) }),
      inboxPrefix,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: 50,
      noAsyncTraces: true,
    });
  } catch (cause) {
    throw new NexError({
      code: "NATS_CONNECT_FAILED",
      message: `Cannot connect to the internal nats-server: ${errorText(cause)}`,
      cause,
    });
  }
}

/**
 * Resolves once the server has got what was sent before.
 *
 * @throws {NexError} `NATS_CONNECTION_LOST` when the connection ends first
 */
export async function flush(connection: NatsConnection): Promise<void> {
  if (await flushed(connection)) return;
  throw new NexError({ code: "NATS_CONNECTION_LOST", message: "The internal nats-server has ended" });
}

function signature(key: SigningKey, nonce: string): string {
  return Buffer.from(key.sign(Buffer.from(nonce))).toString("base64url");
}
