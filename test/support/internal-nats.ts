import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { startInternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import type { InternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import { createLogger } from "../../src/lib/logger.ts";
import type { LogEntry } from "../../src/lib/logger.ts";
import { testNatsServer } from "./start-nats.ts";

/** An internal NATS server on 127.0.0.1, with what it logs. */
export async function startTestInternalNats(): Promise<InternalNats & { readonly log: readonly LogEntry[] }> {
  const log: LogEntry[] = [];
  const nats = await startInternalNats({
    binary: await testNatsServer(),
    host: "127.0.0.1",
    logger: createLogger((entry) => log.push(entry)),
  });
  return Object.assign(nats, { log });
}

/** A bare client with an agent's key, to do what our agent does not. */
export async function connectBare(nats: InternalNats, nkeySeed: string): Promise<NatsConnection> {
  return connect({
    servers: nats.clientUrl,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(nkeySeed)),
    reconnect: false,
  });
}
