import * as z from "zod";
import { NexError } from "../lib/errors.ts";
import { encodeJson, parseJson } from "./json.ts";

/** Workload types that run per message and so need a trigger subject. */
const FUNCTION_TYPES: ReadonlySet<string> = new Set(["v8", "wasm"]);

/** Bounds of a function, as the node has them configured; what is absent is the agent's own default. */
const AgentFunctionLimits = z
  .object({
    timeout_ms: positive(),
    memory_mib: positive(),
    max_source_bytes: positive(),
  })
  .partial();
export type AgentFunctionLimits = z.output<typeof AgentFunctionLimits>;

/**
 * The workload that a node gives to an agent; request on `agentSubjects.deploy` (protocol.md 5.4). `null` reads as
 * absent. The workload's own connections (`trigger_connection`, `host_services`) hold secrets and are never part of it.
 */
export const AgentDeployRequest = z.object({
  argv: z.array(z.string()).nullish().transform(orEmptyList),
  description: optionalText(),
  /** Decrypted variables. */
  environment: z
    .record(z.string(), z.string())
    .nullish()
    .transform((value) => value ?? {}),
  essential: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  /** Whether each invocation of a function starts with nothing of the last one. */
  fresh: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  /** Functions only. */
  function_limits: AgentFunctionLimits.nullish().transform((value) => value ?? {}),
  /** Hex SHA-256 of the artifact. */
  hash: optionalText(),
  namespace: optionalText(),
  retried_at: z
    .string()
    .nullish()
    .transform((value) => value ?? undefined),
  retry_count: z
    .number()
    .nullish()
    .transform((value) => value ?? undefined),
  /** Size of the artifact in bytes. */
  total_bytes: z
    .number()
    .int()
    .nonnegative()
    .nullish()
    .transform((value) => value ?? 0),
  trigger_subjects: z.array(z.string()).nullish().transform(orEmptyList),
  workload_name: optionalText(),
  /** `native`, `v8`, `wasm` or `oci`. */
  workload_type: optionalText(),
});
export type AgentDeployRequest = z.output<typeof AgentDeployRequest>;

/** Bytes of a deploy request; fields that are not of the message are left out. */
export function encodeAgentDeploy(request: AgentDeployInit): Uint8Array {
  return encodeJson({
    argv: request.argv,
    description: request.description ?? null,
    environment: request.environment,
    essential: request.essential,
    fresh: request.fresh,
    function_limits: request.function_limits,
    hash: request.hash,
    namespace: request.namespace,
    retried_at: request.retried_at,
    retry_count: request.retry_count,
    total_bytes: request.total_bytes,
    trigger_subjects: request.trigger_subjects,
    workload_name: request.workload_name,
    workload_type: request.workload_type,
  });
}

/** What a node has to say in a deploy request. */
export interface AgentDeployInit {
  readonly namespace: string;
  readonly workload_name: string;
  readonly workload_type: string;
  readonly hash: string;
  readonly total_bytes: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly trigger_subjects: readonly string[];
  readonly argv?: readonly string[];
  readonly description?: string;
  readonly essential?: boolean;
  readonly fresh?: boolean;
  readonly function_limits?: AgentFunctionLimits;
  readonly retried_at?: string;
  readonly retry_count?: number;
}

/** A deploy request as an agent reads it, or the text to refuse it with. */
export type ParsedAgentDeploy =
  | { readonly kind: "valid"; readonly request: AgentDeployRequest }
  | { readonly kind: "refused"; readonly message: string };

/** Reads and checks a deploy request. All problems are named, one a line, in the words of protocol.md 5.4. */
export function parseAgentDeploy(body: Uint8Array): ParsedAgentDeploy {
  let request: AgentDeployRequest;
  try {
    request = parseJson("a deploy request", AgentDeployRequest, body);
  } catch (error) {
    if (!(error instanceof NexError)) throw error;
    return { kind: "refused", message: `Failed to unmarshal deploy request: ${error.message}` };
  }
  const problems = deployProblems(request);
  return problems.length === 0
    ? { kind: "valid", request }
    : { kind: "refused", message: problems.join("\n") };
}

/** Answer of an agent to a deploy request. */
export const AgentDeployReply = z.object({
  accepted: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  /** Why the workload was refused. */
  message: optionalText(),
});
export type AgentDeployReply = z.output<typeof AgentDeployReply>;

/** Bytes of a deploy reply. */
export function encodeAgentDeployReply(reply: AgentDeployReply): Uint8Array {
  return encodeJson({ accepted: reply.accepted, message: reply.message === "" ? null : reply.message });
}

/** @throws {NexError} `AGENT_MESSAGE_INVALID` */
export function parseAgentDeployReply(body: Uint8Array): AgentDeployReply {
  return parseJson("the reply to a deploy request", AgentDeployReply, body);
}

function deployProblems(request: AgentDeployRequest): string[] {
  const isFunction = FUNCTION_TYPES.has(request.workload_type);
  const problems: string[] = [];
  if (request.namespace === "") problems.push("namespace is required");
  if (request.workload_name === "") problems.push("workload name is required");
  if (request.essential && isFunction) problems.push("essential flag is not supported for workload type");
  if (request.hash === "") problems.push("hash is required");
  if (request.total_bytes === 0) problems.push("total bytes is required");
  if (request.workload_type === "") problems.push("workload type is required");
  if (isFunction && request.trigger_subjects.length === 0) {
    problems.push("at least one trigger subject is required for this workload type");
  }
  return problems;
}

function positive() {
  return z
    .number()
    .int()
    .positive()
    .nullish()
    .transform((value) => value ?? undefined);
}

function optionalText() {
  return z
    .string()
    .nullish()
    .transform((value) => value ?? "");
}

function orEmptyList(value: readonly string[] | null | undefined): readonly string[] {
  return value ?? [];
}
