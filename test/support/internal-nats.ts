import { describe } from "node:test";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { CALLOUT_VERSION } from "../../src/internal-nats/callout-credentials.ts";
import { startInternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import type { InternalAuthentication, InternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import { createLogger } from "../../src/lib/logger.ts";
import type { LogEntry } from "../../src/lib/logger.ts";
import { compareVersions, natsServerVersion } from "../../src/nats/server-version.ts";
import { testNatsServer } from "./start-nats.ts";

/** An internal NATS server with what it logs. */
export type TestInternalNats = InternalNats & { readonly log: readonly LogEntry[] };

/** An internal NATS server on 127.0.0.1. */
export async function startTestInternalNats(
  authentication?: InternalAuthentication,
): Promise<TestInternalNats> {
  const log: LogEntry[] = [];
  const nats = await startInternalNats({
    binary: await testNatsServer(),
    host: "127.0.0.1",
    ...(authentication === undefined ? {} : { authentication }),
    logger: createLogger((entry) => log.push(entry)),
  });
  return Object.assign(nats, { log });
}

/** Why the server of the tests cannot authenticate so; undefined when it can. */
export async function lacksAuthentication(
  authentication: InternalAuthentication,
): Promise<string | undefined> {
  const version = await natsServerVersion(await testNatsServer());
  if (authentication === "reload" || compareVersions(version, CALLOUT_VERSION) >= 0) return undefined;
  return `nats-server ${version} has no auth callout, ${CALLOUT_VERSION} has`;
}

/** Tests that hold however the server learns who may connect: runs them for each way. */
export async function describeInternalNats(
  suite: (authentication: InternalAuthentication) => void,
): Promise<void> {
  for (const authentication of ["reload", "callout"] as const) {
    const skip = (await lacksAuthentication(authentication)) ?? false;
    void describe(`InternalNats with ${authentication}`, { timeout: 120_000, skip }, () =>
      suite(authentication),
    );
  }
}

type Reachable = Pick<InternalNats, "clientUrl">;

/** A bare client with an agent's key, to do what our agent does not. */
export async function connectBare(nats: Reachable, nkeySeed: string): Promise<NatsConnection> {
  return connectWith(nats, { authenticator: nkeyAuthenticator(new TextEncoder().encode(nkeySeed)) });
}

/** A bare client that introduces itself as it likes. */
export async function connectWith(nats: Reachable, options: ConnectionOptions): Promise<NatsConnection> {
  return connect({ servers: nats.clientUrl, reconnect: false, ...options });
}
