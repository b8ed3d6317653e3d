import type { GuestLaterCall } from "../../host-services/guest/guest-host-services.ts";

/** Calls of host services that go on while the function does something else. */
export interface GuestCalls {
  readonly callLater: GuestLaterCall;
  /** An answer has come. */
  readonly answer: (id: number, reply: unknown) => void;
  /** Forgets everything: the invocation is over. */
  readonly reset: () => void;
}

/** One call on its way out: its number, service, method, target, body, request headers, kind of redirect. */
export type OutgoingCall = readonly [id: number, ...values: unknown[]];

/**
 * Keeps a bounded number of calls under way; others wait. Runs inside the isolate, from its own source text: refers to
 * nothing outside its body, and takes what it calls before the function's code runs.
 */
export function guestCalls(send: (call: OutgoingCall) => void): GuestCalls {
  const MAX_IN_FLIGHT = 256;
  const { apply } = Reflect;
  const { shift } = Array.prototype;
  const { setPrototypeOf } = Object;
  type Done = (reply: unknown) => void;
  const noCalls = (): Record<number, Done> => ({ __proto__: null }) as unknown as Record<number, Done>;
  // Without prototype: setters that the function puts on Array.prototype don't see it.
  const noQueue = (): OutgoingCall[] => setPrototypeOf([], null) as OutgoingCall[];

  let calls = noCalls();
  let queue = noQueue();
  let lastId = 0;
  let firstId = 1;
  let inFlight = 0;

  return {
    callLater: ({ service, method, target, body, headers, redirect }, done) => {
      const call: OutgoingCall = [++lastId, service, method, target, body, headers, redirect];
      calls[lastId] = done;
      if (inFlight >= MAX_IN_FLIGHT) {
        queue[queue.length] = call;
        return;
      }
      inFlight += 1;
      send(call);
    },
    answer: (id, reply) => {
      // Of an earlier invocation.
      if (id < firstId) return;
      const done = calls[id];
      delete calls[id];
      const next = apply<OutgoingCall[], [], OutgoingCall | undefined>(shift, queue, []);
      if (next === undefined) inFlight -= 1;
      else send(next);
      if (done !== undefined) done(reply);
    },
    reset: () => {
      if (firstId > lastId) return;
      calls = noCalls();
      queue = noQueue();
      firstId = lastId + 1;
      inFlight = 0;
    },
  };
}
