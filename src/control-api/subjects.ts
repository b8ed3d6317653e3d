import { NexError } from "../lib/errors.ts";

/** Namespace of node-wide events and logs. */
export const SYSTEM_NAMESPACE = "system";

/** The subjects of the control API. Builders throw NAMESPACE_INVALID or SUBJECT_INVALID for a part that is not one token. */
export const subjects = {
  auction: (): string => "$NEX.AUCTION",
  /** Every node, or the one given. */
  ping: (nodeId?: string): string =>
    nodeId === undefined ? "$NEX.PING" : `$NEX.PING.${subjectToken(nodeId, "node id")}`,
  workloadPing: (namespace: string, idOrName?: string): string =>
    idOrName === undefined
      ? `$NEX.WPING.${assertNamespace(namespace)}`
      : `$NEX.WPING.${assertNamespace(namespace)}.${subjectToken(idOrName, "workload id or name")}`,
  info: (namespace: string, nodeId: string): string =>
    `$NEX.INFO.${assertNamespace(namespace)}.${subjectToken(nodeId, "node id")}`,
  deploy: (namespace: string, nodeId: string): string =>
    `$NEX.DEPLOY.${assertNamespace(namespace)}.${subjectToken(nodeId, "node id")}`,
  stop: (namespace: string, nodeId: string): string =>
    `$NEX.STOP.${assertNamespace(namespace)}.${subjectToken(nodeId, "node id")}`,
  lameDuck: (nodeId: string): string => `$NEX.LAMEDUCK.${subjectToken(nodeId, "node id")}`,
  event: (namespace: string, type: string): string =>
    `$NEX.events.${assertNamespace(namespace)}.${subjectToken(type, "event type")}`,
  workloadLog: ({ namespace, nodeId, workloadName, workloadId }: WorkloadLogParts): string =>
    `$NEX.logs.${assertNamespace(namespace)}.${subjectToken(nodeId, "node id")}.${subjectToken(workloadName, "workload name")}.${subjectToken(workloadId, "workload id")}`,
  nodeLog: (nodeId: string, stream: NodeLogStream): string =>
    `$NEX.logs.${SYSTEM_NAMESPACE}.${subjectToken(nodeId, "node id")}.${stream}`,
} as const;

/** What a node subscribes to, without queue groups. */
export function nodeSubscriptions(nodeId: string): NodeSubscriptions {
  const node = subjectToken(nodeId, "node id");
  return {
    auction: "$NEX.AUCTION",
    pingAll: "$NEX.PING",
    ping: `$NEX.PING.${node}`,
    workloadPing: "$NEX.WPING.>",
    info: `$NEX.INFO.*.${node}`,
    deploy: `$NEX.DEPLOY.*.${node}`,
    stop: `$NEX.STOP.*.${node}`,
    lameDuck: `$NEX.LAMEDUCK.${node}`,
  };
}

/** Subject per request kind that a node answers. */
export interface NodeSubscriptions {
  readonly auction: string;
  readonly pingAll: string;
  readonly ping: string;
  readonly workloadPing: string;
  readonly info: string;
  readonly deploy: string;
  readonly stop: string;
  readonly lameDuck: string;
}

/** The variable tokens of a workload log subject. */
export interface WorkloadLogParts {
  readonly namespace: string;
  readonly nodeId: string;
  readonly workloadName: string;
  readonly workloadId: string;
}

export type NodeLogStream = "stdout" | "stderr";

/**
 * A namespace is one subject token: not empty, without `.`, `*`, `>` and white space.
 */
export function isNamespace(text: string): boolean {
  return isToken(text);
}

/** The namespace itself; throws NAMESPACE_INVALID when it is none. */
export function assertNamespace(namespace: string): string {
  if (isNamespace(namespace)) return namespace;
  throw new NexError({
    code: "NAMESPACE_INVALID",
    message: `Namespace ${JSON.stringify(namespace)} is not valid`,
    hint: 'A namespace is not empty and contains no ".", "*", ">" or white space',
  });
}

/** Whether the text is a single subject token without wildcards. */
function isToken(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters would break the protocol line
  return /^[^\s.*>\u0000-\u001f\u007f]+$/u.test(text);
}

export function subjectToken(text: string, what: string): string {
  if (isToken(text)) return text;
  throw new NexError({
    code: "SUBJECT_INVALID",
    message: `The ${what} ${JSON.stringify(text)} cannot be part of a subject`,
    hint: 'Use a text that is not empty and contains no ".", "*", ">" or white space',
  });
}
