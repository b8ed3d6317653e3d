import { NexError } from "../lib/errors.ts";

/**
 * The subjects between a node and the agent `id` (protocol.md 5.1). `hostint` is served by the node, `agentint` by
 * the agent.
 *
 * @throws {NexError} `AGENT_MESSAGE_INVALID` for a part that is not a single subject token
 */
export const agentSubjects = {
  handshake: (id: string): string => `hostint.${token(id)}.handshake`,
  event: (id: string, type: string): string => `hostint.${token(id)}.events.${token(type)}`,
  /** Pattern of all events. */
  events: (id: string): string => `hostint.${token(id)}.events.*`,
  logs: (id: string): string => `hostint.${token(id)}.logs`,
  artifact: (id: string): string => `hostint.${token(id)}.artifact`,
  rpc: ({ id, namespace, workloadName, service, method }: RpcSubject): string =>
    `hostint.${token(id)}.rpc.${token(namespace)}.${token(workloadName)}.${token(service)}.${token(method)}`,
  /** Pattern of all host service calls. */
  rpcs: (id: string): string => `hostint.${token(id)}.rpc.*.*.*.*`,
  deploy: (id: string): string => `agentint.${token(id)}.deploy`,
  undeploy: (id: string): string => `agentint.${token(id)}.undeploy`,
  ping: (id: string): string => `agentint.${token(id)}.ping`,
  trigger: (id: string): string => `agentint.${token(id)}.trigger`,
} as const;

/** The variable tokens of a host service call's subject. */
export interface RpcSubject {
  readonly id: string;
  readonly namespace: string;
  readonly workloadName: string;
  readonly service: string;
  readonly method: string;
}

/** Takes the subject of a host service call apart; undefined when it is none. */
export function parseRpcSubject(subject: string): RpcSubject | undefined {
  const tokens = subject.split(".");
  const [host, id, rpc, namespace, workloadName, service, method] = tokens;
  if (tokens.length !== 7 || tokens.includes("") || host !== "hostint" || rpc !== "rpc") return undefined;
  if (id === undefined || namespace === undefined || workloadName === undefined) return undefined;
  if (service === undefined || method === undefined) return undefined;
  return { id, namespace, workloadName, service, method };
}

/** The event type in the subject of an event; undefined when it is none. */
export function parseEventSubject(subject: string): string | undefined {
  const [host, , events, type, ...rest] = subject.split(".");
  if (host !== "hostint" || events !== "events" || type === "" || rest.length > 0) return undefined;
  return type;
}

function token(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters would break the protocol's lines
  if (text !== "" && !/[.*>\s\u0000-\u001f\u007f]/.test(text)) return text;
  throw new NexError({
    code: "AGENT_MESSAGE_INVALID",
    message: `Cannot make a subject: ${JSON.stringify(text.slice(0, 80))} is not a single token`,
  });
}
