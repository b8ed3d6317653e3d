/**
 * The link between a node and one agent. Node and agent know only this; whether messages travel over a pipe to a
 * child process or over an internal NATS server is decided where the sandbox is started. `link-contract.ts` in `test/support`
 * is the suite every implementation passes.
 *
 * L1 a request settles exactly once: with the reply, or with LINK_TIMEOUT, LINK_NO_RESPONDERS, LINK_CLOSED; or at once
 *    and without being sent with LINK_MESSAGE_TOO_LARGE, LINK_CONGESTED
 * L2 a request for a subject nobody handles fails at once with LINK_NO_RESPONDERS, it does not wait for its timeout
 * L3 messages of one sender on one subject are handed to the handler in the order sent; handlers run concurrently
 * L4 bytes arrive unchanged and are the receiver's own: no view into a larger buffer, never modified afterwards
 * L5 what arrives malformed is dropped and never throws into the event loop
 * L6 a handler that throws answers its request with the header `x-nex-error`, its value is the error's text
 */

/** Names are case-sensitive; values are single-line text. */
export type LinkHeaders = Readonly<Record<string, string>>;

/** A message as a handler gets it. */
export interface LinkMessage {
  /** The full subject, for handlers of a pattern. */
  readonly subject: string;
  readonly headers: LinkHeaders;
  readonly body: Uint8Array;
}

/** What a handler answers. */
export interface LinkReply {
  readonly headers?: LinkHeaders;
  readonly body?: Uint8Array;
}

/** A reply as the requester gets it. */
export interface LinkResponse {
  readonly headers: LinkHeaders;
  readonly body: Uint8Array;
}

/** Serves messages of one subject. A publish has no use for the returned value. */
export type LinkHandler = (message: LinkMessage) => LinkReply | undefined | Promise<LinkReply | undefined>;

/** Why a link ended: `closed` by our own `close`, `lost` when the other side or the transport went away. */
export type LinkEnd = { readonly kind: "closed" } | { readonly kind: "lost"; readonly reason: string };

export interface LinkRequestOptions {
  readonly timeoutMs: number;
  readonly headers?: LinkHeaders;
}

export interface Link extends AsyncDisposable {
  /**
   * Sends a request and waits for its reply (L1, L2).
   *
   * @throws {NexError} `LINK_TIMEOUT`, `LINK_NO_RESPONDERS`, `LINK_CLOSED`, `LINK_MESSAGE_TOO_LARGE`, or
   *   `LINK_CONGESTED` when the other side does not read and too much is waiting to be sent
   */
  request(subject: string, body: Uint8Array, options: LinkRequestOptions): Promise<LinkResponse>;
  /** Sends without waiting; dropped when the link has ended, and where a request would not be sent (L1). */
  publish(subject: string, body: Uint8Array, headers?: LinkHeaders): void;
  /**
   * Serves a subject or a pattern (`*` one token, `>` the rest) until the returned handle is disposed. One handler
   * per pattern (a second one is a defect and throws `INTERNAL`); an exact subject goes before a pattern, of several
   * matching patterns the one registered first.
   */
  handle(pattern: string, handler: LinkHandler): Disposable;
  /** Resolves once, when the link has ended, with the reason. Open requests then fail with LINK_CLOSED. */
  readonly closed: Promise<LinkEnd>;
  /** Ends the link. Idempotent. */
  close(): Promise<void>;
}
