/**
 * The trigger subscriptions of one function. They use a queue group per namespace and workload name, so that of
 * several deploys of one function (on any node) each message runs exactly one.
 *
 * T1 the caller is answered first; events, logs and counts come after the answer has left, those of `TOGETHER_MS` together
 * T2 how many run and wait is up to the queue behind `invoke`
 * T3 a failed invocation is answered at once: empty body, `Nats-Service-Error-Code` and `Nats-Service-Error`
 * T4 once `close` has resolved no message is lost: all that arrived were answered
 */
import { headers as createHeaders } from "@nats-io/transport-node";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { NexError, errorText } from "../lib/errors.ts";
import { drainSubscriptions } from "./drain.ts";
import { nanosecondsSince } from "./endpoint-counts.ts";
import { fitsBytes, MAX_REPLY_BYTES } from "./subject-limits.ts";

/** Outcome of one invocation; `runtimeNs` is its execution time, absent when nobody knows it. */
export type TriggerOutcome =
  | { readonly kind: "succeeded"; readonly body: Uint8Array; readonly runtimeNs: number }
  | { readonly kind: "failed"; readonly message: string; readonly runtimeNs?: number };

/** A {@link TriggerOutcome} without what the caller was answered. */
export type TriggerEnd =
  | { readonly kind: "succeeded"; readonly runtimeNs: number }
  | { readonly kind: "failed"; readonly message: string };

/** What happened to one message, for events and counts. `pattern` is the subscribed trigger subject. */
export interface TriggerRecord {
  readonly pattern: string;
  readonly outcome: TriggerEnd;
  /** From the arrival of the message to its answer, in nanoseconds. */
  readonly durationNs: number;
}

export interface TriggerOptions {
  readonly connection: NatsConnection;
  readonly subjects: readonly string[];
  readonly queueGroup: string;
  /** Runs the function once; never rejects. */
  readonly invoke: (subject: string, payload: Uint8Array) => Promise<TriggerOutcome>;
  /** Called after the answers were sent (T1). */
  readonly onDone: (records: readonly TriggerRecord[]) => void;
  /** A subscription that ended by itself after it was up (permission withdrawn). */
  readonly onSubscriptionError: (subject: string, error: Error) => void;
}

export interface Triggers {
  readonly subjects: readonly string[];
  /** Unsubscribes and answers what has arrived (T4). Idempotent. */
  close(): Promise<void>;
}

/**
 * Subscribes all trigger subjects; resolves once the server has taken them.
 *
 * @throws {NexError} `TRIGGER_REFUSED` when a subject is invalid or the server forbids it; nothing stays subscribed
 */
export async function openTriggers(options: TriggerOptions): Promise<Triggers> {
  const dispatcher = new TriggerDispatcher(options);
  const subscriptions: Subscription[] = [];
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => {});
  try {
    for (const subject of options.subjects) {
      subscriptions.push(
        dispatcher.subscribe(subject, (error) => refused.reject(triggerRefused(subject, error))),
      );
    }
    await Promise.race([options.connection.flush(), refused.promise]);
  } catch (cause) {
    for (const subscription of subscriptions) subscription.unsubscribe();
    throw cause instanceof NexError ? cause : triggerRefused(options.subjects.join(", "), cause);
  }
  dispatcher.established();
  let closing: Promise<void> | undefined;
  const closeOnce = async (): Promise<void> => {
    await drainSubscriptions(subscriptions);
    await dispatcher.idle();
  };
  return { subjects: options.subjects, close: () => (closing ??= closeOnce()) };
}

/** Each publish to the server costs both sides a system call: one per moment does. */
const TOGETHER_MS = 5;

class TriggerDispatcher {
  readonly #options: TriggerOptions;
  /** Answered, not yet reported (T1). */
  #records: TriggerRecord[] = [];
  #reportedAtMs = -Infinity;
  #inFlight = 0;
  #established = false;
  #onIdle: (() => void) | undefined;

  constructor(options: TriggerOptions) {
    this.#options = options;
  }

  subscribe(pattern: string, onRefused: (error: Error) => void): Subscription {
    return this.#options.connection.subscribe(pattern, {
      queue: this.#options.queueGroup,
      callback: (error, message) => {
        if (error !== null) {
          if (this.#established) this.#options.onSubscriptionError(pattern, error);
          else onRefused(error);
          return;
        }
        void this.#run({ message, pattern, atMs: performance.now() });
      },
    });
  }

  established(): void {
    this.#established = true;
  }

  async idle(): Promise<void> {
    if (this.#inFlight > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onIdle = resolve;
      await promise;
    }
    this.#report();
  }

  async #run(arrival: Arrival): Promise<void> {
    const { subject, data } = arrival.message;
    this.#inFlight += 1;
    const outcome = await this.#options.invoke(subject, data);
    this.#inFlight -= 1;
    this.#finish(arrival, outcome);
    if (this.#inFlight === 0) this.#onIdle?.();
  }

  #finish({ message, pattern, atMs }: Arrival, given: TriggerOutcome): void {
    const outcome = answer(message, given);
    if (this.#records.length === 0) this.#reportSoon();
    this.#records.push({ pattern, outcome, durationNs: nanosecondsSince(atMs) });
  }

  #reportSoon(): void {
    const restMs = TOGETHER_MS - (performance.now() - this.#reportedAtMs);
    if (restMs <= 0) setImmediate(this.#report);
    else setTimeout(this.#report, restMs);
  }

  readonly #report = (): void => {
    const records = this.#records;
    if (records.length === 0) return;
    this.#records = [];
    this.#reportedAtMs = performance.now();
    this.#options.onDone(records);
  };
}

/** A message, and when it arrived. */
interface Arrival {
  readonly message: Msg;
  readonly pattern: string;
  readonly atMs: number;
}

/** Sends the answer (T3) and returns how it ended; a reply that cannot be sent makes it a failure. */
function answer(message: Msg, outcome: TriggerOutcome): TriggerEnd {
  const wantsAnswer =
    message.reply !== undefined && message.reply !== "" && fitsBytes(message.reply, MAX_REPLY_BYTES);
  if (outcome.kind === "failed") {
    if (wantsAnswer) respondFailure(message, outcome.message);
    return { kind: "failed", message: outcome.message };
  }
  try {
    if (wantsAnswer) message.respond(outcome.body);
    return { kind: "succeeded", runtimeNs: outcome.runtimeNs };
  } catch (cause) {
    const failure = `cannot send the reply (${outcome.body.length} bytes): ${errorText(cause)}`;
    respondFailure(message, failure);
    return { kind: "failed", message: failure };
  }
}

function respondFailure(message: Msg, text: string): void {
  const headers = createHeaders();
  headers.set("Nats-Service-Error-Code", "500");
  headers.set("Nats-Service-Error", text.replaceAll(/[\r\n]+/g, " ").slice(0, 1024));
  try {
    message.respond(new Uint8Array(0), { headers });
  } catch {
    // The connection is closed: nobody is left to answer.
  }
}

function triggerRefused(subject: string, cause: unknown): NexError {
  return new NexError({
    code: "TRIGGER_REFUSED",
    message: `cannot subscribe trigger subject "${subject}": ${errorText(cause)}`,
    cause,
  });
}
