/** The public NATS server of a node (protocol.md 9.8): a nats-server of its own that ends with the node. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NexError } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { startNatsServer } from "../nats/server.ts";
import type { NatsServer, NatsServerSpec } from "../nats/server.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { serverText } from "./public-server-text.ts";

export type PublicNatsServerSettings = NonNullable<NodeConfiguration["public_nats_server"]>;

/** Finds the path of a nats-server binary. */
export type FindNatsServer = (signal?: AbortSignal) => Promise<string>;

/** What of the settings says how the server is started, checked. Throws CONFIGURATION_INVALID. */
export function publicServerSpec(settings: PublicNatsServerSettings): Omit<NatsServerSpec, "binary"> {
  const { server_name: serverName, addr, port = 0, jetstream = false, store_dir: store } = settings;
  return {
    host: addr === undefined || addr === "" ? "0.0.0.0" : addr,
    // As in the server's own options: 0 is the usual port, -1 a free one.
    port: port === 0 ? DEFAULT_PORT : port,
    configText: serverText(settings),
    ...(serverName === undefined || serverName.trim() === "" ? {} : { serverName }),
    ...(jetstream ? { storeDirectory: store ?? join(tmpdir(), "nats") } : {}),
  };
}

/**
 * Starts the server; resolves once clients can connect.
 *
 * @throws {NexError} `CONFIGURATION_INVALID`, or as `startNatsServer`
 */
export async function startPublicNatsServer(options: {
  readonly settings: PublicNatsServerSettings;
  readonly findNatsServer: FindNatsServer | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}): Promise<NatsServer> {
  const { settings, findNatsServer, logger, signal } = options;
  const spec = publicServerSpec(settings);
  if (findNatsServer === undefined) {
    throw new NexError({
      code: "NATS_SERVER_NOT_FOUND",
      message: "Cannot find a nats-server: nobody looks for one",
    });
  }
  const server = await startNatsServer({ ...spec, binary: await findNatsServer(signal), logger, signal });
  const { url, version, pid } = server;
  logger.info("Public NATS server started", { client_url: url, version, pid });
  return server;
}

const DEFAULT_PORT = 4222;
