import { PermissionViolationError } from "@nats-io/nats-core";
import type { NatsConnection } from "@nats-io/nats-core";
import { setImmediate } from "node:timers/promises";
import { QuickRequests } from "./quick-requests.ts";
import { attempt } from "./service-failure.ts";

/** A workload's NATS connection as its services use it. */
export interface NatsAccess {
  /** Requests over the connection while it is up, which need not wait for it; undefined while it is not. */
  readonly quick: QuickRequests | undefined;
  /**
   * The connection, once it is up: what is sent while it is down is lost or piles up in memory.
   *
   * @throws {ServiceFailure} 500 with `text` and the reason
   */
  connected(text: string, signal: AbortSignal): Promise<NatsConnection>;
  /**
   * Publishes; resolves once the server has it.
   *
   * @throws {ServiceFailure} 500 with `text` and the reason, a missing permission included
   */
  publish(text: string, signal: AbortSignal, message: Publication): Promise<void>;
}

export interface Publication {
  readonly subject: string;
  readonly body: Uint8Array;
}

/**
 * Uses the connection that `open` gives, from the first call on; a failed `open` is tried again with the next one.
 * `createInbox` gives a subject that the connection may receive answers on.
 */
export function createNatsAccess(
  open: () => Promise<NatsConnection>,
  createInbox: (connection: NatsConnection) => string,
): NatsAccess {
  let watched: Promise<WatchedConnection> | undefined;
  let present: WatchedConnection | undefined;
  const watch = async (): Promise<WatchedConnection> => {
    try {
      const connection = await open();
      present = new WatchedConnection(connection, createInbox(connection));
      return present;
    } catch (error) {
      watched = undefined;
      throw error;
    }
  };
  const ready = async (text: string, signal: AbortSignal): Promise<WatchedConnection> => {
    const connection = await attempt(text, signal, (watched ??= watch()));
    if (connection.up !== undefined) await attempt(`${text}: not connected to NATS`, signal, connection.up);
    return connection;
  };
  return {
    get quick() {
      return present?.up === undefined ? present?.quick : undefined;
    },
    connected: async (text, signal) => (await ready(text, signal)).connection,
    publish: async (text, signal, message) => {
      const connection = await ready(text, signal);
      await attempt(text, signal, connection.publish(message));
    },
  };
}

/** Knows whether its connection is up and what the server refused. */
class WatchedConnection {
  readonly connection: NatsConnection;
  readonly quick: QuickRequests;
  /** Resolves when the connection is back; undefined while it is up. */
  #down: PromiseWithResolvers<void> | undefined;
  /** Publications under way. */
  readonly #publishing = new Set<{ readonly subject: string; refusal: Error | undefined }>();

  constructor(connection: NatsConnection, inbox: string) {
    this.connection = connection;
    this.quick = new QuickRequests(connection, inbox);
    void this.#watch();
  }

  get up(): Promise<void> | undefined {
    return this.#down?.promise;
  }

  async publish({ subject, body }: Publication): Promise<void> {
    const publication: { readonly subject: string; refusal: Error | undefined } = {
      subject,
      refusal: undefined,
    };
    this.#publishing.add(publication);
    try {
      this.connection.publish(subject, body);
      await this.connection.flush();
      // A refusal arrives before the flush is answered, but reaches the watch below a little later.
      await setImmediate();
      if (publication.refusal !== undefined) throw publication.refusal;
    } finally {
      this.#publishing.delete(publication);
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === "disconnect") this.#down ??= Promise.withResolvers<void>();
      else if (status.type === "reconnect") {
        this.#down?.resolve();
        this.#down = undefined;
      } else if (status.type === "error") this.#refuse(status.error);
    }
  }

  #refuse(error: Error): void {
    if (!(error instanceof PermissionViolationError) || error.operation !== "publish") return;
    for (const publication of this.#publishing) {
      if (publication.subject === error.subject) publication.refusal = error;
    }
  }
}
