/**
 * Credentials by auth callout, for servers 2.10 and newer: the server asks us about each connection, and nothing is reloaded.
 *
 *     agent ── CONNECT: key, signed nonce ──► server ── $SYS.REQ.USER.AUTH ──► authority
 *     agent ◄── +OK, or an error ── server ◄── account and permissions, signed ── authority
 *
 * The authority is a second connection of the node, in the system account, where no agent is and no large message passes.
 *
 * K1 an agent gets in only with a signature of the nonce that the server sent on this very connection
 * K2 who is not let in is told so at once; when we do not answer, the server's own limit ends the connection
 * K3 an agent's connections are known before it has them: `remove` ends those that are being made, too
 * K4 a flood of attempts costs us little: no signature is verified for an unknown key, nor for an agent's key after
 *    MAX_ATTEMPTS of its life
 */
import type { NatsConnection } from "@nats-io/transport-node";
import { createSigningKey } from "../control-api/keys.ts";
import { NexError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { agentPermissions } from "./agent-permissions.ts";
import { authorizeUser, readAuthorizationRequest } from "./authorization-request.ts";
import type { CalloutParties } from "./authorization-request.ts";
import { connectToServer, flush } from "./connect-to-server.ts";
import type { Credentials, CredentialsMethod } from "./credentials.ts";
import { ACCOUNT, calloutConfiguration } from "./server-configuration.ts";

/** The first version whose authorization callouts and kicks do what we need. */
export const CALLOUT_VERSION = "2.10.0";

/** An agent makes one connection, and tries a few times where it is slow. */
const MAX_ATTEMPTS = 64;
/** The authority's own connection may end and be made again meanwhile. */
const KICK = { timeoutMs: 5000, attempts: 3 };

/** Credentials that the server asks for. */
export function calloutCredentials(nodePublicKey: string, logger: Logger): CredentialsMethod {
  const issuer = createSigningKey("account");
  const key = createSigningKey("user");
  return {
    configText: calloutConfiguration({
      node: nodePublicKey,
      authority: key.publicKey,
      issuer: issuer.publicKey,
    }),
    open: async ({ url, exit }) => {
      await using stack = new AsyncDisposableStack();
      const connection = await connectToServer(url, { key, name: "nex-authority", inboxPrefix: "_INBOX" });
      stack.defer(async () => connection.close());
      // Else the client would look for the server for ever.
      void exit.then(async () => connection.close());
      const authority = new Authority(connection, { server: serverId(connection), issuer }, logger);
      await flush(connection);
      stack.move();
      return authority;
    },
  };
}

interface KnownAgent {
  readonly id: string;
  readonly publicKey: string;
  /** Numbers of its connections, those that have ended among them. */
  readonly connections: number[];
  /** Connections that it made or tried to make. */
  attempts: number;
}

class Authority implements Credentials {
  readonly #connection: NatsConnection;
  readonly #parties: CalloutParties;
  readonly #logger: Logger;
  readonly #byId = new Map<string, KnownAgent>();
  readonly #byKey = new Map<string, KnownAgent>();

  constructor(connection: NatsConnection, parties: CalloutParties, logger: Logger) {
    this.#connection = connection;
    this.#parties = parties;
    this.#logger = logger;
    connection.subscribe("$SYS.REQ.USER.AUTH", {
      callback: (error, message) => {
        // An empty answer is a refusal, and costs no signature.
        if (error === null) message.respond(this.#answer(message.string()));
      },
    });
  }

  add(id: string, publicKey: string): Promise<void> {
    const agent: KnownAgent = { id, publicKey, connections: [], attempts: 0 };
    this.#byId.set(id, agent);
    this.#byKey.set(publicKey, agent);
    return Promise.resolve();
  }

  async remove(id: string): Promise<void> {
    const agent = this.#byId.get(id);
    if (agent === undefined) return;
    this.#byId.delete(id);
    this.#byKey.delete(agent.publicKey);
    await Promise.all(agent.connections.map(async (connection) => this.#kick(connection)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }

  #answer(token: string): string | undefined {
    try {
      return this.#admit(token);
    } catch (error) {
      this.#logger.debug("Refused a connection", { reason: errorText(error) });
      return undefined;
    }
  }

  #admit(token: string): string {
    const { connection, owner, subject } = readAuthorizationRequest(token, this.#parties, (publicKey) => {
      const agent = this.#byKey.get(publicKey);
      return agent !== undefined && (agent.attempts += 1) <= MAX_ATTEMPTS ? agent : undefined;
    });
    owner.connections.push(connection);
    const authorization = { account: ACCOUNT, ...agentPermissions(owner.id) };
    return authorizeUser(subject, authorization, this.#parties);
  }

  /** An answer that tells an error says that the connection has ended already. */
  async #kick(connection: number): Promise<void> {
    const subject = `$SYS.REQ.SERVER.${this.#parties.server}.KICK`;
    const body = JSON.stringify({ cid: connection });
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#connection.request(subject, body, { timeout: KICK.timeoutMs });
        return;
      } catch (error) {
        if (attempt === KICK.attempts || this.#connection.isClosed()) throw error;
      }
    }
  }
}

function serverId({ info }: NatsConnection): string {
  if (info === undefined) throw new NexError({ code: "INTERNAL", message: "The internal server has no id" });
  return info.server_id;
}
