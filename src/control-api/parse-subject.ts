import type { NodeLogStream } from "./subjects.ts";

/** A subject below `$NEX`, taken apart. */
export type ControlSubject =
  | { readonly kind: "auction" }
  | { readonly kind: "ping"; readonly nodeId?: string }
  | { readonly kind: "workload-ping"; readonly namespace: string; readonly idOrName?: string }
  | { readonly kind: "info" | "deploy" | "stop"; readonly namespace: string; readonly nodeId: string }
  | { readonly kind: "lame-duck"; readonly nodeId: string }
  | { readonly kind: "event"; readonly namespace: string; readonly type: string }
  | {
      readonly kind: "workload-log";
      readonly namespace: string;
      readonly nodeId: string;
      /** Documented order: name, then id. A Go node 0.2.7 swaps them; the id in the payload tells (parseWorkloadLog). */
      readonly lastTokens: readonly [string, string];
    }
  | { readonly kind: "node-log"; readonly nodeId: string; readonly stream: NodeLogStream };

/** Takes a `$NEX` subject apart; undefined when it is none of ours or has an empty token. */
export function parseControlSubject(subject: string): ControlSubject | undefined {
  const [prefix, verb = "", ...rest] = subject.split(".");
  if (prefix !== "$NEX" || rest.includes("")) return undefined;
  const [first, second, third, fourth] = rest;
  switch (verb) {
    case "AUCTION":
      return rest.length === 0 ? { kind: "auction" } : undefined;
    case "PING":
      if (rest.length > 1) return undefined;
      return first === undefined ? { kind: "ping" } : { kind: "ping", nodeId: first };
    case "WPING":
      // Further tokens are ignored by every peer.
      if (first === undefined) return undefined;
      return second === undefined
        ? { kind: "workload-ping", namespace: first }
        : { kind: "workload-ping", namespace: first, idOrName: second };
    case "INFO":
    case "DEPLOY":
    case "STOP":
      if (first === undefined || second === undefined || rest.length !== 2) return undefined;
      return { kind: ONE_NODE_KINDS[verb], namespace: first, nodeId: second };
    case "LAMEDUCK":
      return first !== undefined && rest.length === 1 ? { kind: "lame-duck", nodeId: first } : undefined;
    case "events":
      if (first === undefined || second === undefined || rest.length !== 2) return undefined;
      return { kind: "event", namespace: first, type: second };
    case "logs":
      return parseLogTokens(rest.length, first, second, third, fourth);
    default:
      return undefined;
  }
}

const ONE_NODE_KINDS = { INFO: "info", DEPLOY: "deploy", STOP: "stop" } as const;

function parseLogTokens(
  count: number,
  namespace?: string,
  nodeId?: string,
  third?: string,
  fourth?: string,
): ControlSubject | undefined {
  if (namespace === undefined || nodeId === undefined || third === undefined) return undefined;
  if (count === 4 && fourth !== undefined) {
    return { kind: "workload-log", namespace, nodeId, lastTokens: [third, fourth] };
  }
  if (count === 3 && namespace === "system" && (third === "stdout" || third === "stderr")) {
    return { kind: "node-log", nodeId, stream: third };
  }
  return undefined;
}
