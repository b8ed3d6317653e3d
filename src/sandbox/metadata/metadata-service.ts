/**
 * Serves virtual machines their metadata as Firecracker's MMDS does in version 2, for monitors that have no such service:
 * https://github.com/firecracker-microvm/firecracker/blob/main/docs/mmds/mmds-user-guide.md
 *
 * D1 a machine is known by the source address of its connection, which the network does not let it choose
 * D2 a token is good for the address that asked for it, until it expires or the machine ends
 * D3 one machine cannot keep others from being served: connections, tokens, headers and times are bounded
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { NexError, errorText } from "../../lib/errors.ts";
import type { Logger } from "../../lib/logger.ts";
import type { MetadataPublisher } from "../virtual-machine.ts";
import { answerMetadataRequest } from "./metadata-answer.ts";
import type { PublishedMetadata } from "./metadata-answer.ts";
import { MetadataTokens } from "./metadata-tokens.ts";

export interface MetadataService extends MetadataPublisher, AsyncDisposable {
  readonly port: number;
}

export interface MetadataServiceOptions {
  /** The gateway of the network of virtual machines. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly logger: Logger;
}

/**
 * Starts the service.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` when the address cannot be listened at
 */
export async function startMetadataService({
  host,
  port,
  logger,
}: MetadataServiceOptions): Promise<MetadataService> {
  const published = new Map<string, PublishedMetadata>();
  const server = createServer(LIMITS, (request, response) => {
    const { status, headers, body } = answerMetadataRequest(
      {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
      },
      published.get(request.socket.remoteAddress ?? ""),
    );
    // Nothing that is served takes a body: who sends one is not listened to any longer.
    const close = hasBody(request) ? { connection: "close" } : {};
    response.writeHead(status, { ...headers, ...close });
    response.end(body);
  });
  server.maxConnections = MOST_CONNECTIONS;
  limitConnections(server);
  try {
    server.listen({ host, port });
    await once(server, "listening");
  } catch (cause) {
    throw new NexError({
      code: "SANDBOX_UNAVAILABLE",
      message: `Cannot serve metadata at "${host}": ${errorText(cause)}`,
      cause,
    });
  }
  // Such as running out of file descriptors while accepting.
  server.on("error", (error) => logger.warn("The metadata service has failed", { error: error.message }));
  return {
    port: (server.address() as AddressInfo).port,
    publish: (address, document) => {
      const entry: PublishedMetadata = { document, tokens: new MetadataTokens() };
      published.set(address, entry);
      return {
        [Symbol.dispose]: () => {
          if (published.get(address) === entry) published.delete(address);
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const LIMITS = {
  maxHeaderSize: 4096,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  /** How often the limits above are looked at. */
  connectionsCheckingInterval: 1000,
};
const MOST_CONNECTIONS = 1024;
/** The guest needs one. */
const MOST_CONNECTIONS_PER_ADDRESS = 8;

function limitConnections(server: Server): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    if (count > MOST_CONNECTIONS_PER_ADDRESS) socket.destroy();
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
}
