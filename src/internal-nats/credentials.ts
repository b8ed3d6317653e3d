import type { NatsServer } from "../nats/server.ts";

/** Says who may connect. */
export interface Credentials extends AsyncDisposable {
  /** Lets the agent connect from when it resolves on; rejects with nothing changed. */
  add(id: string, publicKey: string): Promise<void>;
  /** Ends what connections the agent has, and lets it make none. */
  remove(id: string): Promise<void>;
}

/** A way in which a server and we agree on who may connect. */
export interface CredentialsMethod {
  /** What the server's configuration says of it, at the server's start. */
  readonly configText: string;
  /**
   * Begins; nobody but the node can connect before.
   *
   * @throws {NexError} `NATS_CONNECT_FAILED`
   */
  open(server: NatsServer): Promise<Credentials>;
}
