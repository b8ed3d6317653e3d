import type { NatsConnection } from "@nats-io/transport-node";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { NodeState } from "./node-state.ts";
import { shutDown } from "./shutdown.ts";

/** Why a node ended. */
export type NodeEnd =
  | { readonly kind: "stopped" }
  /** It was asked to end when idle, in lame duck mode. */
  | { readonly kind: "idle" }
  | { readonly kind: "connection-lost"; readonly message: string }
  | { readonly kind: "public-server-ended"; readonly message: string }
  /** What virtual machines reach the node by is gone. */
  | { readonly kind: "agents-unreachable"; readonly message: string };

/** A running node. */
export interface NodeHandle extends AsyncDisposable {
  readonly nodeId: string;
  readonly publicXkey: string;
  readonly closed: Promise<NodeEnd>;
  /** Ends all workloads and the node, within `shutdown_timeout_ms`. Idempotent. */
  stop(): Promise<NodeEnd>;
}

/** Makes the handle of a node that is up; the first reason to end is the one that counts. */
export function createNodeHandle(parts: {
  readonly node: NodeState;
  readonly connection: NatsConnection;
  readonly logger: Logger;
  readonly resources: AsyncDisposable;
  /** See {@link ShutdownOptions}. */
  readonly force: readonly (() => Promise<unknown>)[];
  /** Resolves when something in the node wants it to end. */
  readonly ended: Promise<NodeEnd>;
}): NodeHandle {
  const { node, connection, logger, resources, force, ended } = parts;
  const { promise: closed, resolve } = Promise.withResolvers<NodeEnd>();
  let ending: Promise<NodeEnd> | undefined;
  const endOnce = async (end: NodeEnd): Promise<NodeEnd> => {
    logger.info("Workload manager stopping");
    await shutDown({ resources, timeoutMs: node.configuration.shutdown_timeout_ms, force, logger });
    logger.info("exiting node", { reason: end.kind });
    resolve(end);
    return end;
  };
  const end = async (reason: NodeEnd): Promise<NodeEnd> => (ending ??= endOnce(reason));
  void ended.then(end);
  void connection.closed().then(async (error) => {
    const message = error === undefined ? "the control connection was closed" : errorText(error);
    await end({ kind: "connection-lost", message });
  });
  return {
    nodeId: node.identity.key.publicKey,
    publicXkey: node.identity.xkey.publicKey,
    closed,
    stop: async () => end({ kind: "stopped" }),
    [Symbol.asyncDispose]: async () => {
      await end({ kind: "stopped" });
    },
  };
}
