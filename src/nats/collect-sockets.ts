import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/** The sockets that one attempt to connect opens. */
export interface SocketCollection {
  /** Runs `work`, collecting what it and its continuations open. */
  run<T>(work: () => T): T;
  /** Destroys what was collected; tells whether the last one was closed already. */
  destroy(): { readonly lastWasClosed: boolean };
  /** Stops collecting. */
  release(): void;
}

interface Collecting {
  sockets: Set<Socket> | undefined;
}

/**
 * Collects sockets, because the client library leaves the one of its last attempt open when that timed out, and an open
 * socket keeps a process alive.
 */
export function collectSockets(): SocketCollection {
  subscribed ||= subscribeOnce();
  const collecting: Collecting = { sockets: new Set() };
  return {
    run: (work) => storage.run(collecting, work),
    destroy: () => {
      const lastWasClosed = [...(collecting.sockets ?? [])].at(-1)?.destroyed === true;
      for (const socket of collecting.sockets ?? []) socket.destroy();
      return { lastWasClosed };
    },
    release: () => {
      collecting.sockets = undefined;
    },
  };
}

const storage = new AsyncLocalStorage<Collecting>();
let subscribed = false;

function subscribeOnce(): true {
  subscribe("net.client.socket", (message) => {
    storage.getStore()?.sockets?.add((message as { readonly socket: Socket }).socket);
  });
  return true;
}
