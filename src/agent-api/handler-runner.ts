import { errorText } from "../lib/errors.ts";
import { HandlerTable } from "./handler-table.ts";
import type { LinkHandler, LinkMessage, LinkReply } from "./link.ts";

/** What became of a message. */
type HandlerOutcome =
  | { readonly kind: "answered"; readonly reply: LinkReply | undefined }
  | { readonly kind: "unhandled" }
  | { readonly kind: "failed"; readonly message: string };

const MAX_ERROR_LENGTH = 8192;

/** Runs the handlers of one end of a link: concurrently, but no more than a bounded number, and never throwing. */
export class HandlerRunner {
  readonly #table = new HandlerTable();
  readonly #maxConcurrent: number;
  /** Handlers that have not settled. */
  #running = 0;

  constructor(maxConcurrent = 4096) {
    this.#maxConcurrent = maxConcurrent;
  }

  /** As {@link Link.handle}. */
  add(pattern: string, handler: LinkHandler): Disposable {
    return this.#table.add(pattern, handler);
  }

  /** Calls `settle` once: at once, where the handler answers at once. */
  run(message: LinkMessage, settle: (outcome: HandlerOutcome) => void): void {
    const handler = this.#table.find(message.subject);
    if (handler === undefined) {
      settle({ kind: "unhandled" });
      return;
    }
    if (this.#running >= this.#maxConcurrent) {
      settle({ kind: "failed", message: "too many messages are being handled" });
      return;
    }
    let reply: ReturnType<LinkHandler>;
    try {
      reply = handler(message);
    } catch (error) {
      settle(failed(error));
      return;
    }
    if (reply instanceof Promise) this.#await(reply, settle);
    else settle({ kind: "answered", reply });
  }

  #await(reply: Promise<LinkReply | undefined>, settle: (outcome: HandlerOutcome) => void): void {
    this.#running += 1;
    reply.then(
      (value) => {
        this.#running -= 1;
        settle({ kind: "answered", reply: value });
      },
      (error: unknown) => {
        this.#running -= 1;
        settle(failed(error));
      },
    );
  }
}

function failed(error: unknown): HandlerOutcome {
  return { kind: "failed", message: errorText(error).slice(0, MAX_ERROR_LENGTH) };
}
