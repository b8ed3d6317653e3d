/**
 * The link between a node and an agent that both are clients of the node's internal NATS server, for agents in virtual
 * machines. Both ends run this code; L1 to L6 are in `link.ts`. Subjects are those of protocol.md 5.1.
 *
 *     node ── agentint.{id}.> ──► agent     replies to  _HIN.{id}.{number}
 *     node ◄── hostint.{id}.> ─── agent     replies to  _INBOX_{id}.{number}
 *
 * N1 the node answers only to the agent's own inbox: whatever reply subject an agent names, the node publishes on nobody
 *    else's subjects
 * N2 an inbox belongs to one agent, so that no agent can answer for another
 * N3 one subscription for all that this end serves: a subject without handler is refused by us and not, by the server's
 *    "no responders", for the whole agent. That one means that the other side is not there (any more)
 * N4 an agent's connection is its own and ends with the link; the node's serves many links and outlives them
 */
import { headers as natsHeaders } from "@nats-io/nats-core";
import type { Msg, MsgHdrs, NatsConnection, Subscription } from "@nats-io/nats-core";
import { errorText } from "../lib/errors.ts";
import type { NexError } from "../lib/errors.ts";
import { silentLogger } from "../lib/logger.ts";
import type { Logger } from "../lib/logger.ts";
import { flushed, onConnectionEnd } from "./connection-end.ts";
import { HandlerRunner } from "./handler-runner.ts";
import { singleLine } from "./header-text.ts";
import { cannotSend, linkClosed } from "./link-errors.ts";
import { ERROR_HEADER } from "./link-headers.ts";
import type {
  Link,
  LinkEnd,
  LinkHandler,
  LinkHeaders,
  LinkReply,
  LinkRequestOptions,
  LinkResponse,
} from "./link.ts";
import { natsLinkSubjects } from "./nats-link-subjects.ts";
import type { NatsLinkSubjects } from "./nats-link-subjects.ts";
import { PendingRequests } from "./pending-requests.ts";

export interface NatsLinkOptions {
  /** Which end this is. The agent's owns `connection` (N4). */
  readonly end: "node" | "agent";
  /** The agent's id: letters and digits. */
  readonly id: string;
  readonly logger?: Logger;
  /** Most messages of the other side that are being handled at once. Default 4096. */
  readonly maxConcurrent?: number;
}

/** A link over `connection`. Messages arrive from the next turn of the event loop on: register handlers at once. */
export function createNatsLink(connection: NatsConnection, options: NatsLinkOptions): Link {
  return new NatsLink(connection, options);
}

/** Tells a subject that nobody handles (N3) from a peer that is gone. */
const UNHANDLED_HEADER = "x-nex-unhandled";
const NO_RESPONDERS = 503;
/** How long the last messages may take to reach the server. */
const LEAVE_MS = 1000;

class NatsLink implements Link {
  readonly closed: Promise<LinkEnd>;
  readonly #connection: NatsConnection;
  readonly #isAgent: boolean;
  readonly #subjects: NatsLinkSubjects;
  readonly #logger: Logger;
  readonly #handlers: HandlerRunner;
  readonly #pending = new PendingRequests();
  readonly #subscriptions: readonly Subscription[];
  readonly #connectionEnd: Disposable;
  readonly #resolveClosed: (end: LinkEnd) => void;
  #left: Promise<void> | undefined;
  #end: LinkEnd | undefined;
  /** The other side has been there. */
  #met = false;

  constructor(connection: NatsConnection, { end, id, logger, maxConcurrent }: NatsLinkOptions) {
    this.#connection = connection;
    this.#isAgent = end === "agent";
    this.#subjects = natsLinkSubjects(end, id);
    this.#logger = logger ?? silentLogger;
    this.#handlers = new HandlerRunner(maxConcurrent);
    const { promise, resolve } = Promise.withResolvers<LinkEnd>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    const subscribe = (subject: string, receive: (message: Msg) => void): Subscription =>
      connection.subscribe(subject, { callback: (error, message) => this.#guard(error, message, receive) });
    this.#subscriptions = [
      subscribe(`${this.#subjects.inbox}.*`, (message) => this.#receiveReply(message)),
      subscribe(`${this.#subjects.served}.>`, (message) => this.#receive(message)),
    ];
    this.#connectionEnd = onConnectionEnd(connection, (error) =>
      this.#lose(errorText(error ?? "the connection is closed")),
    );
  }

  request(subject: string, body: Uint8Array, options: LinkRequestOptions): Promise<LinkResponse> {
    if (this.#end !== undefined) return Promise.reject(linkClosed(subject, this.#end));
    const id = this.#pending.nextId();
    const reply = `${this.#subjects.inbox}.${id}`;
    const refusal = this.#send(subject, body, { headers: encodeHeaders(options.headers), reply });
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#pending.add(id, subject, options.timeoutMs);
  }

  publish(subject: string, body: Uint8Array, headers?: LinkHeaders): void {
    if (this.#end !== undefined) return;
    const refusal = this.#send(subject, body, { headers: encodeHeaders(headers) });
    if (refusal !== undefined)
      this.#logger.warn("Dropped a message to the other side", { reason: refusal.message });
  }

  handle(pattern: string, handler: LinkHandler): Disposable {
    return this.#handlers.add(pattern, handler);
  }

  async close(): Promise<void> {
    if (this.#end === undefined) {
      this.#send(this.#subjects.sayClosed, NO_BODY, {});
      this.#finish({ kind: "closed" });
    }
    await this.#left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Nothing of a message may reach the event loop as an exception (L5). */
  #guard(error: Error | null, message: Msg, receive: (message: Msg) => void): void {
    if (this.#end !== undefined) return;
    if (error !== null) {
      this.#lose(error.message);
      return;
    }
    try {
      receive(message);
    } catch (cause) {
      this.#logger.warn("Dropped a malformed message", { error: errorText(cause) });
    }
  }

  #receiveReply(message: Msg): void {
    const id = Number(message.subject.slice(this.#subjects.inbox.length + 1));
    const headers = decodeHeaders(message.headers);
    if (message.headers?.code !== NO_RESPONDERS || headers[ERROR_HEADER] !== undefined) {
      this.#met = true;
      this.#pending.reply(id, { headers, body: ownBytes(message.data) });
    } else if (headers[UNHANDLED_HEADER] === undefined && this.#met && !this.#isAgent) {
      this.#lose("the agent's connection ended");
    } else {
      this.#pending.noResponders(id);
    }
  }

  #receive(message: Msg): void {
    this.#met = true;
    if (message.subject === this.#subjects.hearClosed) {
      this.#lose("the other side closed the link");
      return;
    }
    const { subject } = message;
    const received = { subject, headers: decodeHeaders(message.headers), body: ownBytes(message.data) };
    this.#handlers.run(received, (outcome) => {
      switch (outcome.kind) {
        case "answered":
          this.#answer(message, outcome.reply);
          return;
        case "unhandled":
          this.#answer(message, { headers: { [UNHANDLED_HEADER]: "true" } }, NO_RESPONDERS);
          return;
        case "failed":
          this.#fail(message, outcome.message);
          return;
      }
    });
  }

  #answer(message: Pick<Msg, "subject" | "reply">, reply: LinkReply | undefined, status?: number): void {
    const { subject, reply: to } = message;
    if (this.#end !== undefined || to === undefined || to === "") return;
    if (!this.#isAgent && !to.startsWith(this.#subjects.peerInbox)) {
      this.#logger.warn("Refused to answer on a subject that is not the agent's", { subject, reply: to });
      return;
    }
    const failed = reply?.headers?.[ERROR_HEADER] !== undefined;
    const headers = encodeHeaders(reply?.headers, failed ? NO_RESPONDERS : status);
    const refusal = this.#send(to, reply?.body ?? NO_BODY, { headers });
    if (refusal === undefined) return;
    this.#logger.warn("Dropped a reply", { subject, reason: refusal.message });
    if (refusal.code === "LINK_MESSAGE_TOO_LARGE" && !failed)
      this.#answer(message, { headers: { [ERROR_HEADER]: "the reply is too large" } });
  }

  /** Answers with the error (L6); a failed publish is told to the log only. */
  #fail(to: Msg, message: string): void {
    if (to.reply === undefined || to.reply === "")
      this.#logger.warn("Failed to handle a message", { subject: to.subject, error: message });
    else this.#answer(to, { headers: { [ERROR_HEADER]: message } });
  }

  /** Sends a copy of the body (L4). Returns why it was not sent. */
  #send(
    subject: string,
    body: Uint8Array,
    options: { readonly headers?: MsgHdrs | undefined; readonly reply?: string },
  ): NexError | undefined {
    const { headers, reply } = options;
    const limit = this.#connection.info?.max_payload ?? Infinity;
    if (body.length + (headers === undefined ? 0 : headerBytes(headers)) > limit)
      return cannotSend("LINK_MESSAGE_TOO_LARGE", subject, `the message (${body.length} bytes) is too large`);
    try {
      this.#connection.publish(subject, ownBytes(body), {
        ...(headers === undefined ? {} : { headers }),
        ...(reply === undefined ? {} : { reply }),
      });
      return undefined;
    } catch (error) {
      return cannotSend("LINK_CLOSED", subject, errorText(error));
    }
  }

  #lose(reason: string): void {
    if (this.#end === undefined) this.#finish({ kind: "lost", reason });
  }

  #finish(end: LinkEnd): void {
    this.#end = end;
    this.#connectionEnd[Symbol.dispose]();
    this.#left = this.#leave();
    this.#pending.failAll((subject) => linkClosed(subject, end));
    this.#resolveClosed(end);
  }

  /** What was sent before still arrives. */
  async #leave(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LEAVE_MS);
    try {
      await Promise.race([flushed(this.#connection), late]);
      if (this.#isAgent) await this.#connection.close();
      else for (const subscription of this.#subscriptions) subscription.unsubscribe();
    } catch {
      // The connection is closed already.
    } finally {
      clearTimeout(timer);
    }
  }
}

const NO_BODY = new Uint8Array(0);

function ownBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function encodeHeaders(headers: LinkHeaders = {}, status?: number): MsgHdrs | undefined {
  const names = Object.keys(headers);
  if (names.length === 0 && status === undefined) return undefined;
  const encoded = status === undefined ? natsHeaders() : natsHeaders(status, "No Responders");
  for (const name of names) encoded.append(name, singleLine(headers[name] ?? ""));
  return encoded;
}

function decodeHeaders(headers: MsgHdrs | undefined): LinkHeaders {
  const decoded: Record<string, string> = {};
  if (headers === undefined) return decoded;
  for (const [name, [value = ""]] of headers) if (name !== "__proto__") decoded[name] = value;
  return decoded;
}

/** An upper bound of what they take on the wire. */
function headerBytes(headers: MsgHdrs): number {
  let bytes = 64;
  for (const [name, [value = ""]] of headers) bytes += 4 + 3 * (name.length + value.length);
  return bytes;
}
