/** Calls of one function that an abort settles, whatever they wait for. */
export interface AbortableCalls<Reply> {
  /** Rejects only as `call` does. */
  run(call: () => Promise<Reply>): Promise<Reply>;
  /** The calls in flight get the answer of an abort, and so does every later one. */
  abort(): void;
  /** Whether the answer of an abort is the only one there is. */
  readonly isAborted: boolean;
}

export function createAbortableCalls<Reply>(aborted: Reply): AbortableCalls<Reply> {
  const inFlight = new Set<(reply: Reply) => void>();
  let open = true;
  return {
    async run(call) {
      if (!open) return aborted;
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      inFlight.add(resolve);
      // Unlike resolving with the promise itself, this leaves `resolve` open for an abort.
      call().then(resolve, reject);
      try {
        return await promise;
      } finally {
        inFlight.delete(resolve);
      }
    },
    get isAborted() {
      return !open;
    },
    abort() {
      open = false;
      for (const resolve of inFlight) resolve(aborted);
    },
  };
}
