/**
 * The control API server: subscribes the node's subjects on the control connection and hands each message to its
 * handler.
 *
 * A1 messages of one subject are handled side by side: a slow deploy holds up neither another one nor a PING
 * A2 whatever arrives, a handler answers, stays silent, or its failure is logged: nothing escapes into the event loop
 * A3 after `close` no new message is accepted; requests under way still answer
 */
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { parseControlSubject } from "../control-api/parse-subject.ts";
import { nodeSubscriptions } from "../control-api/subjects.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";

/** Handlers by kind of request. Each returns the reply's bytes, or undefined to stay silent. */
export interface ControlHandlers {
  readonly ping: () => Answer;
  readonly auction: (body: Uint8Array) => Answer;
  readonly workloadPing: (namespace: string, idOrName: string | undefined) => Answer;
  readonly info: (namespace: string) => Answer;
  readonly deploy: (namespace: string, body: Uint8Array) => Answer;
  readonly stop: (namespace: string, body: Uint8Array) => Answer;
  readonly lameDuck: () => Answer;
}

type Answer = Uint8Array | undefined | Promise<Uint8Array | undefined>;

export interface ControlServer {
  /** Stops accepting requests and waits for those under way (A3). Idempotent. */
  close(): Promise<void>;
}

export interface ControlServerOptions {
  readonly connection: NatsConnection;
  readonly nodeId: string;
  readonly handlers: ControlHandlers;
  readonly logger: Logger;
}

/** Subscribes all control subjects; resolves once the server has taken them. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { connection, nodeId, logger } = options;
  const underWay = new Set<Promise<void>>();
  const subscribe = (subject: string): Subscription =>
    connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) {
          logger.error("Cannot serve a control subject", { subject, error: errorText(error) });
          return;
        }
        const work = serve(options, message).finally(() => underWay.delete(work));
        underWay.add(work);
      },
    });
  const subscriptions = Object.values(nodeSubscriptions(nodeId)).map(subscribe);
  await connection.flush();
  let closing: Promise<void> | undefined;
  const closeOnce = async (): Promise<void> => {
    await Promise.allSettled(subscriptions.map(async (subscription) => subscription.drain()));
    await Promise.allSettled(underWay);
  };
  return { close: () => (closing ??= closeOnce()) };
}

async function serve({ handlers, logger }: ControlServerOptions, message: Msg): Promise<void> {
  try {
    const reply = await dispatch(handlers, message);
    if (reply !== undefined) message.respond(reply);
  } catch (error) {
    logger.error("Cannot handle a control request", { subject: message.subject, error: errorText(error) });
  }
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
      return handlers.lameDuck();
    case "event":
    case "workload-log":
    case "node-log":
    case undefined:
      return undefined;
  }
}
