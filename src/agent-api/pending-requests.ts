import { NexError } from "../lib/errors.ts";
import type { LinkResponse } from "./link.ts";

/** Requests that wait for their reply. Each settles exactly once (L1) and takes its timer along. */
export class PendingRequests {
  readonly #requests = new Map<number, PendingRequest>();
  #lastId = 0;

  /** An id that no waiting request has; 32 bits, in turn. */
  nextId(): number {
    do this.#lastId = this.#lastId === 0xffffffff ? 1 : this.#lastId + 1;
    while (this.#requests.has(this.#lastId));
    return this.#lastId;
  }

  /** Settles with the reply, or with LINK_TIMEOUT after `timeoutMs`, or as told by the other methods. */
  add(id: number, subject: string, timeoutMs: number): Promise<LinkResponse> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#requests.delete(id);
        reject(noReply("LINK_TIMEOUT", subject, `no reply within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#requests.set(id, { subject, timer, resolve, reject });
    });
  }

  /** A reply to a request that does not wait (any more) is dropped. */
  reply(id: number, response: LinkResponse): void {
    this.#take(id)?.resolve(response);
  }

  noResponders(id: number): void {
    const request = this.#take(id);
    request?.reject(noReply("LINK_NO_RESPONDERS", request.subject, "nobody handles it at the other side"));
  }

  failAll(error: (subject: string) => NexError): void {
    for (const { subject, timer, reject } of this.#requests.values()) {
      clearTimeout(timer);
      reject(error(subject));
    }
    this.#requests.clear();
  }

  #take(id: number): PendingRequest | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return undefined;
    this.#requests.delete(id);
    clearTimeout(request.timer);
    return request;
  }
}

interface PendingRequest {
  readonly subject: string;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (response: LinkResponse) => void;
  readonly reject: (error: NexError) => void;
}

function noReply(code: "LINK_TIMEOUT" | "LINK_NO_RESPONDERS", subject: string, reason: string): NexError {
  return new NexError({ code, message: `Request "${subject}" failed: ${reason}` });
}
