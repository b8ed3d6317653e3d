import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "../lib/logger.ts";
import { findNatsServer } from "../nats/server-binary.ts";
import { startNatsServer } from "../nats/server.ts";
import type { NatsServer } from "../nats/server.ts";
import type { Environment } from "./command.ts";

/** How the server of `--embedded-nats` is set up. */
export interface EmbeddedNats {
  /** -1 for a free one. */
  readonly port: number;
  /** Where JetStream keeps its data; undefined for a place that goes with the server. */
  readonly storeDirectory: string | undefined;
  readonly environment: Environment;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Finds (or gets) a nats-server and starts it with JetStream on 127.0.0.1.
 *
 * @throws {NexError} as `findNatsServer` and `startNatsServer` do
 */
export async function startEmbeddedNats(options: EmbeddedNats): Promise<NatsServer> {
  const { environment, logger, signal } = options;
  const server = await startNatsServer({
    binary: await natsServerProgram({ environment, logger, signal }),
    port: options.port,
    storeDirectory: options.storeDirectory ?? "temporary",
    serverName: "nex-embedded",
    logger,
    signal,
  });
  const store = options.storeDirectory ?? "temporary";
  logger.info("Embedded NATS server started", { client_url: server.url, version: server.version, store });
  return server;
}

/** Finds (or gets) a nats-server and gives the path of its binary. Throws as `findNatsServer` does. */
export async function natsServerProgram({
  environment,
  logger,
  signal,
}: Pick<EmbeddedNats, "environment" | "logger" | "signal">): Promise<string> {
  let said = "";
  const { path } = await findNatsServer({
    setting: environment["NEX_NATS_SERVER"],
    searchPath: (environment["PATH"] ?? "").split(delimiter),
    cacheDir: natsServerCache(environment),
    environment,
    onProgress: ({ message, source }) => {
      if (message !== said) logger.info(message, { source });
      said = message;
    },
    signal,
  });
  return path;
}

/** Where nats-server binaries are kept: `.cache` of a clone, otherwise the cache folder of the account. */
export function natsServerCache({ XDG_CACHE_HOME: cache, HOME: home }: Environment): string {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  if (import.meta.url.endsWith(".ts") && existsSync(join(root, "package-lock.json"))) {
    return join(root, ".cache", "nats-server");
  }
  return join(cache ? cache : join(home ? home : homedir(), ".cache"), "nex", "nats-server");
}
