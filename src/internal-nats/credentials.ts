import { setTimeout as delay } from "node:timers/promises";
import type { NatsServer } from "../nats/server.ts";
import { internalServerConfiguration } from "./server-configuration.ts";

/** Says who may connect. Another way than by reloads, such as auth callout, would be a second implementation. */
export interface Credentials {
  /** Lets the agent connect from when it resolves on; rejects with nothing changed. */
  add(id: string, publicKey: string): Promise<void>;
  /** Ends what connections the agent has, and lets it make none. */
  remove(id: string): Promise<void>;
}

/** How long an addition waits for others, to share the reload. */
const BATCH_MS = 25;

/** Credentials in the server's configuration, which is reloaded once for all changes of a moment. */
export function reloadedCredentials(server: Pick<NatsServer, "reload">, nodePublicKey: string): Credentials {
  const agents = new Map<string, string>();
  const text = (): string => internalServerConfiguration({ node: nodePublicKey, agents });
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<void> | undefined;
  const batch = async (): Promise<void> => {
    await Promise.all([delay(BATCH_MS), last]);
    next = undefined;
    const reload = server.reload(text());
    last = reload.catch(() => {});
    await reload;
  };
  const changed = (): Promise<void> => (next ??= batch());
  return {
    async add(id, publicKey) {
      agents.set(id, publicKey);
      try {
        await changed();
      } catch (error) {
        agents.delete(id);
        throw error;
      }
    },
    async remove(id) {
      if (agents.delete(id)) await changed();
    },
  };
}
