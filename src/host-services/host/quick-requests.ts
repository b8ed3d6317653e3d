import type { Msg, NatsConnection } from "@nats-io/nats-core";
import type { CallTime } from "./call-time.ts";

interface Waiting {
  readonly time: CallTime;
  readonly resolve: (message: Msg) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Requests over one connection, for what functions ask for often. A request of the client library makes a timer, an
 * error with a stack trace and some promises, which is most of what it costs; these have one timer for all.
 */
export class QuickRequests {
  readonly #connection: NatsConnection;
  readonly #inbox: string;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #lastId = 0;
  #state: "unused" | "subscribed" | "refused" = "unused";

  /** `inbox` is a subject of which this alone uses the next level. */
  constructor(connection: NatsConnection, inbox: string) {
    this.#connection = connection;
    this.#inbox = inbox;
  }

  /** False once the server does not let the connection receive answers here. */
  get usable(): boolean {
    return this.#state !== "refused";
  }

  /** Sends an empty request; rejects when its time is over. A missing responder is an answer, with code 503. */
  request(subject: string, time: CallTime): Promise<Msg> {
    if (this.#state === "unused") this.#subscribe();
    return new Promise((resolve, reject) => {
      const reply = `${this.#inbox}.${++this.#lastId}`;
      this.#waiting.set(reply, { time, resolve, reject });
      this.#watch(time.endsAtMs);
      this.#connection.publish(subject, undefined, { reply });
    });
  }

  /** The timer is not put off by answers: it looks who still waits when it is due. */
  #watch(endsAtMs: number): void {
    if (this.#timerAtMs <= endsAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = endsAtMs;
    this.#timer = setTimeout(this.#expire, endsAtMs - performance.now()).unref();
  }

  readonly #expire = (): void => {
    const nowMs = performance.now();
    let nextMs = Infinity;
    for (const [reply, { time, reject }] of this.#waiting) {
      if (time.endsAtMs > nowMs) nextMs = Math.min(nextMs, time.endsAtMs);
      else {
        this.#waiting.delete(reply);
        reject(time.failure());
      }
    }
    this.#timerAtMs = Infinity;
    if (nextMs < Infinity) this.#watch(nextMs);
  };

  #subscribe(): void {
    this.#state = "subscribed";
    this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) {
          this.#state = "refused";
          return;
        }
        const { subject } = message;
        const waiting = this.#waiting.get(subject);
        this.#waiting.delete(subject);
        waiting?.resolve(message);
      },
    });
  }
}
