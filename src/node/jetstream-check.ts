import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";

/** Warns when the control connection has no JetStream: artifacts lie in object stores. Never rejects. */
export async function checkJetStream(connection: NatsConnection, logger: Logger): Promise<void> {
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    await manager.getAccountInfo();
  } catch (error) {
    if (connection.isClosed() || connection.isDraining()) return;
    logger.warn(
      "The node NATS connection has no JetStream: only what another JetStream domain holds can be deployed",
      {
        error: errorText(error),
      },
    );
  }
}
