/**
 * The control API server: subscribes the node's subjects on the control connection and hands each message to its
 * handler.
 *
 * A1 messages of one subject are handled side by side: a slow deploy holds up neither another one nor a PING
 * A2 whatever arrives, a handler answers, stays silent, or its failure is logged: nothing escapes into the event loop
 * A3 the node starts only when the server permits every one of its subjects
 * A4 after `close` no new message is accepted; requests under way still answer
 */
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { parseReply } from "../control-api/envelope.ts";
import { parseControlSubject } from "../control-api/parse-subject.ts";
import { nodeSubscriptions } from "../control-api/subjects.ts";
import { NexError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { drainSubscriptions } from "./drain.ts";
import { EndpointCounts, nanosecondsSince } from "./endpoint-counts.ts";

/** Handlers by kind of request. Each returns the reply's bytes, or undefined to stay silent. */
export interface ControlHandlers {
  readonly ping: () => Answer;
  readonly auction: (body: Uint8Array) => Answer;
  readonly workloadPing: (namespace: string, idOrName: string | undefined) => Answer;
  readonly info: (namespace: string) => Answer;
  readonly deploy: (namespace: string, body: Uint8Array) => Answer;
  readonly stop: (namespace: string, body: Uint8Array) => Answer;
  readonly lameDuck: (body: Uint8Array) => Answer;
}

type Answer = Uint8Array | undefined | Promise<Uint8Array | undefined>;

export interface ControlServer {
  /** Requests so far, by subscribed subject. */
  readonly counts: ReadonlyMap<string, EndpointCounts>;
  /** Stops accepting requests and waits for those under way (A4). Idempotent. */
  close(): Promise<void>;
}

export interface ControlServerOptions {
  readonly connection: NatsConnection;
  readonly nodeId: string;
  readonly handlers: ControlHandlers;
  readonly logger: Logger;
}

/**
 * Subscribes all control subjects; resolves once the server has taken them (A3).
 *
 * @throws {NexError} `CONTROL_SUBJECT_REFUSED` with the subject; nothing stays subscribed
 */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { connection, nodeId } = options;
  const underWay = new Set<Promise<void>>();
  const counts = new Map<string, EndpointCounts>();
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => {});
  const subscribe = (subject: string): Subscription => {
    const counted = new EndpointCounts();
    counts.set(subject, counted);
    return connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) {
          // Once the node runs, the watch of its connection logs it.
          refused.reject(subjectRefused(subject, error));
          return;
        }
        const work = serve(options, message, counted).finally(() => underWay.delete(work));
        underWay.add(work);
      },
    });
  };
  const subscriptions = Object.values(nodeSubscriptions(nodeId)).map(subscribe);
  try {
    // The server refuses a subscription before it answers the flush behind it.
    await Promise.race([refused.promise, connection.flush()]);
  } catch (error) {
    for (const subscription of subscriptions) subscription.unsubscribe();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const closeOnce = async (): Promise<void> => {
    await drainSubscriptions(subscriptions);
    await Promise.allSettled(underWay);
  };
  return { counts, close: () => (closing ??= closeOnce()) };
}

async function serve(
  { handlers, logger }: ControlServerOptions,
  message: Msg,
  counts: EndpointCounts,
): Promise<void> {
  const startMs = performance.now();
  let failure: string | undefined;
  try {
    const reply = await dispatch(handlers, message);
    if (reply !== undefined) message.respond(reply);
    failure = refusalIn(message.subject, reply);
  } catch (error) {
    failure = errorText(error);
    logger.error("Cannot handle a control request", { subject: message.subject, error: failure });
  }
  counts.add(nanosecondsSince(startMs), failure);
}

/** The text of a refusal; only deploys and stops are refused. */
function refusalIn(subject: string, reply: Uint8Array | undefined): string | undefined {
  if (reply === undefined || !/^\$NEX\.(DEPLOY|STOP)\./.test(subject)) return undefined;
  const parsed = parseReply(reply);
  return parsed.kind === "failure" ? parsed.error : undefined;
}

function subjectRefused(subject: string, cause: Error): NexError {
  return new NexError({
    code: "CONTROL_SUBJECT_REFUSED",
    message: `Cannot start the node: the NATS server does not let it subscribe "${subject}" (${errorText(cause)})`,
    hint: `Permit the node's NATS user to subscribe "$NEX.>" and "_INBOX.>", and to publish "$NEX.events.>", "$NEX.logs.>" and replies`,
    cause,
  });
}

function dispatch(handlers: ControlHandlers, message: Msg): Answer {
  const subject = parseControlSubject(message.subject);
  switch (subject?.kind) {
    case "ping":
      return handlers.ping();
    case "auction":
      return handlers.auction(message.data);
    case "workload-ping":
      return handlers.workloadPing(subject.namespace, subject.idOrName);
    case "info":
      return handlers.info(subject.namespace);
    case "deploy":
      return handlers.deploy(subject.namespace, message.data);
    case "stop":
      return handlers.stop(subject.namespace, message.data);
    case "lame-duck":
      return handlers.lameDuck(message.data);
    case "event":
    case "workload-log":
    case "node-log":
    case undefined:
      return undefined;
  }
}
