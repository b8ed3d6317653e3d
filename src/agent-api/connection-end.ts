import type { NatsConnection } from "@nats-io/nats-core";

type EndListener = (error: Error | undefined) => void;

interface Watch {
  readonly listeners: Set<EndListener>;
  end: { readonly error: Error | undefined } | undefined;
}

const watches = new WeakMap<NatsConnection, Watch>();

/**
 * Calls the listener once, when the connection has ended for good, unless it is disposed before. A reaction to `closed()`
 * would be kept as long as the connection, which outlives its links.
 */
export function onConnectionEnd(connection: NatsConnection, listener: EndListener): Disposable {
  const { listeners, end } = watchOf(connection);
  if (end === undefined) listeners.add(listener);
  else queueMicrotask(() => listener(end.error));
  return { [Symbol.dispose]: () => listeners.delete(listener) };
}

/** Resolves with true once the server has got what was sent before, with false when the connection ends first. */
export async function flushed(connection: NatsConnection): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // A flush never ends when the connection does.
  using _end = onConnectionEnd(connection, () => resolve(false));
  connection.flush().then(
    () => resolve(true),
    () => resolve(false),
  );
  return await promise;
}

function watchOf(connection: NatsConnection): Watch {
  const known = watches.get(connection);
  if (known !== undefined) return known;
  const watch: Watch = { listeners: new Set(), end: undefined };
  watches.set(connection, watch);
  void connection.closed().then((reason) => {
    const error = reason instanceof Error ? reason : undefined;
    watch.end = { error };
    for (const listener of watch.listeners) listener(error);
    watch.listeners.clear();
  });
  return watch;
}
