import { setTimeout as delay } from "node:timers/promises";
import type { Credentials, CredentialsMethod } from "./credentials.ts";
import { reloadConfiguration } from "./server-configuration.ts";

/** How long an addition waits for others, to share the reload. */
const BATCH_MS = 25;

/** Credentials in the server's configuration, which is reloaded once for all changes of a moment. */
export function reloadedCredentials(nodePublicKey: string): CredentialsMethod {
  const text = (agents: ReadonlyMap<string, string>): string =>
    reloadConfiguration({ node: nodePublicKey, agents });
  return {
    configText: text(new Map()),
    open: (server) => Promise.resolve(openCredentials((agents) => server.reload(text(agents)))),
  };
}

function openCredentials(reload: (agents: ReadonlyMap<string, string>) => Promise<void>): Credentials {
  const agents = new Map<string, string>();
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<void> | undefined;
  const batch = async (): Promise<void> => {
    await Promise.all([delay(BATCH_MS), last]);
    next = undefined;
    const reloading = reload(agents);
    last = reloading.catch(() => {});
    await reloading;
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
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
