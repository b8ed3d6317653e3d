import { NexError } from "../lib/errors.ts";

/** What an agent knows when it starts, and where its node can be reached (protocol.md 5.2). */
export interface AgentMetadata {
  readonly workloadId: string;
  /** False when nothing but a process separates the workload from the host. */
  readonly sandboxed: boolean;
  readonly transport: AgentTransport;
}

/** `channel`: the agent was started with a channel to its node. `network`: it connects to the internal NATS server. */
type AgentTransport = { readonly kind: "channel" } | ({ readonly kind: "network" } & InternalServer);

/** Where the node's internal NATS server is for an agent, and who the agent is there. */
interface InternalServer {
  readonly host: string;
  readonly port: number;
  /** Seed of the agent's user, `SU…`. Secret. */
  readonly nkeySeed: string;
}

/** The metadata as environment variables, for `SandboxSpec.metadata`. */
export function encodeAgentMetadata({
  workloadId,
  sandboxed,
  transport,
}: AgentMetadata): Record<string, string> {
  const variables: Record<string, string> = { NEX_SANDBOX: String(sandboxed), NEX_WORKLOADID: workloadId };
  if (transport.kind === "network") {
    variables["NEX_NODE_NATS_HOST"] = transport.host;
    variables["NEX_NODE_NATS_PORT"] = String(transport.port);
    variables["NEX_NODE_NATS_NKEY_SEED"] = transport.nkeySeed;
  }
  return variables;
}

/**
 * Reads the metadata from environment variables. Without a host the agent has a channel.
 *
 * @throws {NexError} `AGENT_METADATA_INVALID`
 */
export function parseAgentMetadata(environment: Readonly<Record<string, string | undefined>>): AgentMetadata {
  const workloadId = environment["NEX_WORKLOADID"] ?? "";
  if (!/^[A-Za-z0-9_-]+$/.test(workloadId)) throw invalid("NEX_WORKLOADID is missing or not a workload id");
  return {
    workloadId,
    sandboxed: environment["NEX_SANDBOX"]?.toLowerCase() !== "false",
    transport: parseTransport(environment),
  };
}

function parseTransport(environment: Readonly<Record<string, string | undefined>>): AgentTransport {
  const host = environment["NEX_NODE_NATS_HOST"] ?? "";
  if (host === "") return { kind: "channel" };
  const portText = environment["NEX_NODE_NATS_PORT"] ?? "";
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port === 0 || port > 65_535) throw invalid("NEX_NODE_NATS_PORT is not a port");
  const nkeySeed = environment["NEX_NODE_NATS_NKEY_SEED"] ?? "";
  if (nkeySeed === "") throw invalid("NEX_NODE_NATS_NKEY_SEED is missing");
  return { kind: "network", host, port, nkeySeed };
}

function invalid(reason: string): NexError {
  return new NexError({ code: "AGENT_METADATA_INVALID", message: `Cannot start the agent: ${reason}` });
}
