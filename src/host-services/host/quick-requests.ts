import type { Msg, NatsConnection } from "@nats-io/nats-core";

/**
 * Requests over one connection, for what functions ask for often. A request of the client library makes a timer, an
 * error with a stack trace and some promises, which is most of what it costs; these leave all of that to the signal of
 * their caller.
 */
export class QuickRequests {
  readonly #connection: NatsConnection;
  readonly #inbox: string;
  readonly #waiting = new Map<string, (message: Msg) => void>();
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

  /** Sends an empty request; rejects with the signal's reason. A missing responder is an answer, with code 503. */
  request(subject: string, signal: AbortSignal): Promise<Msg> {
    if (this.#state === "unused") this.#subscribe();
    return new Promise((resolve, reject) => {
      const reply = `${this.#inbox}.${++this.#lastId}`;
      const abort = (): void => {
        this.#waiting.delete(reply);
        reject(signal.reason as Error);
      };
      this.#waiting.set(reply, (message) => {
        signal.removeEventListener("abort", abort);
        resolve(message);
      });
      signal.addEventListener("abort", abort, { once: true });
      this.#connection.publish(subject, undefined, { reply });
    });
  }

  #subscribe(): void {
    this.#state = "subscribed";
    this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) {
          this.#state = "refused";
          return;
        }
        const { subject } = message;
        const settle = this.#waiting.get(subject);
        this.#waiting.delete(subject);
        settle?.(message);
      },
    });
  }
}
