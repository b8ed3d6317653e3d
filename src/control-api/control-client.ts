/*
 * The client of the control API, over any NATS connection. It holds no resources of its own: watches and the
 * connection belong to the caller.
 *
 * Errors of calls to one node: CONTROL_REFUSED with the node's own text (ControlRefusedError.reason), NODE_NOT_FOUND,
 * TIMEOUT, WIRE_INVALID for an unreadable reply, CONTROL_REQUEST_FAILED for a failing connection. Calls to every node
 * wait their whole window, or until `enough` says so, and drop replies they cannot read.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { encodeAuctionRequest, type AuctionRequest } from "./auction.ts";
import { collect } from "./collect.ts";
import { createDeployment, type DeployOrder } from "./deploy-order.ts";
import { encodeDeployRequest, parseDeployReply, type DeployReply } from "./deploy.ts";
import { parseEvent, type CloudEvent } from "./events.ts";
import { parseInfoReply, type InfoReply } from "./info.ts";
import {
  encodeLameDuckRequest,
  parseLameDuckReply,
  type LameDuckReply,
  type LameDuckRequest,
} from "./lame-duck.ts";
import { parseWorkloadLog, type WorkloadLog } from "./logs.ts";
import { parsePingReply, type PingReply } from "./ping.ts";
import { requestError, type Attempt } from "./request-error.ts";
import { stopWorkload, type StopOrder } from "./stop-order.ts";
import { parseStopReply, type StopReply } from "./stop.ts";
import { parseControlSubject } from "./parse-subject.ts";
import { assertNamespace, subjects, subjectToken } from "./subjects.ts";
import { startWatch, type Watch } from "./watch.ts";
import { parseWorkloadPingReply, type WorkloadPingReply } from "./workload-ping.ts";

export interface ControlClientOptions {
  /** Any connection of the @nats-io 3.x clients; it stays the caller's. */
  readonly connection: NatsConnection;
  /** Namespace of the workloads. Default "default". */
  readonly namespace?: string;
  /** Time limit of a call to one node, window of a call to all. Default 2000. */
  readonly timeoutMs?: number;
}

/** A call to every node. */
export interface ScatterOptions<Reply> {
  /** Ends the wait early once it says true about the replies so far. */
  readonly enough?: (replies: readonly Reply[]) => boolean;
  /** Default the client's. */
  readonly timeoutMs?: number;
}

export interface EventFilter {
  /** Default every namespace; node-wide events are in "system". */
  readonly namespace?: string;
  /** Default every type. */
  readonly type?: string;
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

export interface LogFilter {
  /** Default every namespace. */
  readonly namespace?: string;
  readonly nodeId?: string;
  readonly workloadName?: string;
  readonly workloadId?: string;
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

/** An event with the namespace of the subject it came on. */
export interface WatchedEvent {
  readonly namespace: string;
  readonly event: CloudEvent;
}

/** See {@link createControlClient}. */
export interface ControlClient {
  readonly namespace: string;
  /** Every node that answers, sorted by id. */
  listNodes(options?: ScatterOptions<PingReply>): Promise<readonly PingReply[]>;
  /** The nodes that fit the conditions, quickest first. */
  auction(conditions?: AuctionRequest, options?: ScatterOptions<PingReply>): Promise<readonly PingReply[]>;
  pingNode(nodeId: string): Promise<PingReply>;
  /** A node and its workloads in the client's namespace. */
  nodeInfo(nodeId: string): Promise<InfoReply>;
  /** The nodes that run workloads of the client's namespace, or the one of that id or name; sorted by node id. */
  findWorkloads(
    idOrName?: string,
    options?: ScatterOptions<WorkloadPingReply>,
  ): Promise<readonly WorkloadPingReply[]>;
  /** Seals, signs and sends. Throws before sending when the order is not valid (…_INVALID). */
  deploy(order: DeployOrder): Promise<DeployReply>;
  /** Signs and sends; a second after the deploy, if this client made it, and once more when the node takes the token for a copy. */
  stop(order: StopOrder): Promise<StopReply>;
  /** From now on the node takes no more workloads; our nodes can be asked to end when they are idle. */
  enterLameDuck(nodeId: string, options?: LameDuckRequest): Promise<LameDuckReply>;
  /** Events as they are published. */
  watchEvents(filter?: EventFilter): Promise<Watch<WatchedEvent>>;
  /** Log entries of workloads as they are published. */
  watchLogs(filter?: LogFilter): Promise<Watch<WorkloadLog>>;
}

/** A client for one namespace. Throws NAMESPACE_INVALID. */
export function createControlClient({
  connection,
  namespace = "default",
  timeoutMs = 2000,
}: ControlClientOptions): ControlClient {
  assertNamespace(namespace);
  /** Second of the deploy token by workload id, of deploys a stop may come too early for. */
  const deployed = new Map<string, number>();

  async function call<Result>(
    request: Attempt & { readonly subject: string; readonly payload?: Uint8Array },
    read: (bytes: Uint8Array) => Result,
  ): Promise<Result> {
    try {
      const reply = await connection.request(request.subject, request.payload, {
        timeout: request.timeoutMs,
      });
      return read(reply.data);
    } catch (error) {
      throw requestError(error, request);
    }
  }

  const nodeInfo = (nodeId: string): Promise<InfoReply> =>
    call(
      { action: "read the node's information", nodeId, timeoutMs, subject: subjects.info(namespace, nodeId) },
      parseInfoReply,
    );

  return {
    namespace,
    async listNodes(options = {}) {
      const replies = await collect({
        connection,
        subject: subjects.ping(),
        timeoutMs,
        ...options,
        read: parsePingReply,
        action: "list nodes",
      });
      return sortByNode(replies);
    },
    auction: (conditions = {}, options = {}) =>
      collect({
        connection,
        subject: subjects.auction(),
        payload: encodeAuctionRequest(conditions),
        timeoutMs,
        ...options,
        read: parsePingReply,
        action: "hold an auction",
      }),
    async pingNode(nodeId) {
      return call(
        { action: "ping the node", nodeId, timeoutMs, subject: subjects.ping(nodeId) },
        parsePingReply,
      );
    },
    async nodeInfo(nodeId) {
      return nodeInfo(nodeId);
    },
    async findWorkloads(idOrName, options = {}) {
      const replies = await collect({
        connection,
        subject: subjects.workloadPing(namespace, idOrName),
        timeoutMs,
        ...options,
        read: parseWorkloadPingReply,
        action: "find workloads",
      });
      return sortByNode(replies);
    },
    async deploy(order) {
      const { nodeId } = order;
      const subject = subjects.deploy(namespace, nodeId);
      const { issuedAt, request } = await createDeployment(
        order,
        async () => order.nodeXkey ?? (await nodeInfo(nodeId)).public_xkey,
      );
      const reply = await call(
        {
          action: `deploy workload "${order.workloadName}"`,
          nodeId,
          timeoutMs: order.timeoutMs ?? timeoutMs,
          subject,
          payload: encodeDeployRequest(request),
        },
        parseDeployReply,
      );
      // Older ones no longer matter: their second is over.
      for (const [id, second] of deployed) if (second < issuedAt - 1) deployed.delete(id);
      deployed.set(reply.id, issuedAt);
      return reply;
    },
    async stop(order) {
      const reply = await stopWorkload(order, {
        deployedAt: deployed.get(order.workloadId),
        send: (payload) =>
          call(
            {
              action: `stop workload "${order.workloadName}"`,
              nodeId: order.nodeId,
              timeoutMs: order.timeoutMs ?? timeoutMs,
              subject: subjects.stop(namespace, order.nodeId),
              payload,
            },
            parseStopReply,
          ),
      });
      deployed.delete(order.workloadId);
      return reply;
    },
    async enterLameDuck(nodeId, options = {}) {
      return call(
        {
          action: "put the node in lame duck mode",
          nodeId,
          timeoutMs,
          subject: subjects.lameDuck(nodeId),
          payload: encodeLameDuckRequest(options),
        },
        parseLameDuckReply,
      );
    },
    async watchEvents(filter = {}) {
      const tokens = [optionalNamespace(filter.namespace), wildcardOr(filter.type)];
      return startWatch({
        connection,
        subject: `$NEX.events.${tokens.join(".")}`,
        signal: filter.signal,
        action: "watch events",
        read: readEvent,
      });
    },
    async watchLogs(filter = {}) {
      const { nodeId, workloadName, workloadId, signal } = filter;
      return startWatch({
        connection,
        // Name and id come in either order, so they are compared after reading.
        subject: `$NEX.logs.${optionalNamespace(filter.namespace)}.${wildcardOr(nodeId)}.*.*`,
        signal,
        action: "watch logs",
        read: (subject, bytes) => {
          const log = parseWorkloadLog(subject, bytes);
          const fits =
            (workloadName === undefined || log.workloadName === workloadName) &&
            (workloadId === undefined || log.workloadId === workloadId);
          return fits ? log : undefined;
        },
      });
    },
  };
}

function readEvent(subject: string, bytes: Uint8Array): WatchedEvent | undefined {
  const parts = parseControlSubject(subject);
  return parts?.kind === "event" ? { namespace: parts.namespace, event: parseEvent(bytes) } : undefined;
}

function sortByNode<Reply extends { readonly node_id: string }>(replies: readonly Reply[]): readonly Reply[] {
  return replies.toSorted((a, b) => (a.node_id < b.node_id ? -1 : Number(a.node_id > b.node_id)));
}

function optionalNamespace(namespace: string | undefined): string {
  return namespace === undefined ? "*" : assertNamespace(namespace);
}

function wildcardOr(part: string | undefined): string {
  return part === undefined ? "*" : subjectToken(part, "filter");
}
