import { setTimeout as delay } from "node:timers/promises";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Link } from "../agent-api/link.ts";
import { agentInbox } from "../agent-api/nats-link-subjects.ts";
import { createNatsLink } from "../agent-api/nats-link.ts";
import { NexError, errorText } from "../lib/errors.ts";

/** Where the node's internal NATS server is, and who the agent is there. */
export interface NetworkLinkOptions {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly nkeySeed: string;
}

/** An emulated machine on a busy host needs many seconds where others need milliseconds; the node has its own limit. */
const CONNECT_MS = 60_000;
const ATTEMPTS = 5;
const PAUSE_MS = 100;

/**
 * Connects to the node. The link ends with the connection: an agent that lost its node has nothing left to do.
 *
 * @throws {NexError} `LINK_CLOSED` when the server cannot be reached or refuses the key
 */
export async function connectNetworkLink(options: NetworkLinkOptions): Promise<Link> {
  const { id, host, port } = options;
  try {
    const connection = await connectPatiently(options);
    const link = createNatsLink(connection, { end: "agent", id });
    // The node reaches us from now on.
    await connection.flush();
    return link;
  } catch (cause) {
    throw new NexError({
      code: "LINK_CLOSED",
      message: `Cannot connect to the node at "${host}:${port}": ${errorText(cause)}`,
      cause,
    });
  }
}

/**
 * An old server drops connections that have not introduced themselves when its configuration is reloaded, which each new agent
 * makes it do; a slow machine may be met by that. A newer one refuses whom the node is too busy to vouch for in time.
 */
async function connectPatiently(options: NetworkLinkOptions): Promise<NatsConnection> {
  const { id, host, port, nkeySeed } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect({
        servers: `${host}:${port}`,
        name: `nex-agent-${id}`,
        authenticator: nkeyAuthenticator(new TextEncoder().encode(nkeySeed.trim())),
        inboxPrefix: agentInbox(id),
        reconnect: false,
        timeout: CONNECT_MS,
        noAsyncTraces: true,
      });
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
    await delay(PAUSE_MS);
  }
}
