import { z } from "zod";
import { encodeReply, parseReplyData } from "./envelope.ts";
import { encodeJson, parseWire, StringList, wireInteger, wireObject } from "./json.ts";
import { GoUrl } from "./location.ts";

/** What a workload can be. `oci` is known on the wire but nowhere implemented. */
export const WORKLOAD_TYPES = ["native", "v8", "wasm", "oci"] as const;
export type WorkloadType = (typeof WORKLOAD_TYPES)[number];

/** Where and as whom to connect on behalf of a workload. */
export const ConnectionCredentials = wireObject({
  nats_url: z.string(),
  nats_user_jwt: z.string(),
  nats_user_seed: z.string(),
});
export type ConnectionCredentials = z.output<typeof ConnectionCredentials>;

/** A request to start one workload on one node. */
export const DeployRequest = wireObject({
  /** Arguments after the program name. */
  argv: StringList.optional(),
  description: z.string().default(""),
  /** One of WORKLOAD_TYPES; any text on the wire, so that the node can refuse it by name. */
  type: z.string(),
  /** Bucket and object of the artifact. On the wire a Go URL struct; a URL string is read as well. */
  location: GoUrl,
  /** Redeploy on failure; native only. */
  essential: z.boolean().optional(),
  /** Signed by the issuer, see createDeployToken. */
  workload_jwt: z.string(),
  /** Sealed for the node, see sealEnvironment. */
  environment: z.string(),
  /** JetStream domain of the bucket; empty or absent for none. */
  jsdomain: z.string().optional(),
  /** Public xkey of the publisher. */
  sender_public_key: z.string(),
  /** Public key of the node. */
  target_node: z.string().optional(),
  /** Functions only. */
  trigger_subjects: StringList.optional(),
  trigger_connection: ConnectionCredentials.optional(),
  host_services: ConnectionCredentials.optional(),
  /** Functions only, and only on our nodes: every invocation starts with nothing of the last one. */
  fresh: z.boolean().optional(),
  /** Functions only, and only on our nodes: invocations at a time, at most as many as the node allows. */
  concurrency: z.number().int().positive().optional(),
  retry_count: z.number().int().nonnegative().optional(),
  /** RFC 3339. */
  retried_at: z.string().refine(isTime, "must be a time").optional(),
});
export type DeployRequest = z.output<typeof DeployRequest>;

/** The node started the workload. */
export const DeployReply = wireObject({
  started: z.boolean(),
  /** Workload id. */
  id: z.string(),
  /** Public key of the issuer. */
  issuer: z.string(),
  /** Workload name. */
  name: z.string(),
  /** What isolates it, in words; only from our nodes. */
  isolation: z.string().optional(),
});
export type DeployReply = z.output<typeof DeployReply>;

/** Bytes of a DEPLOY request with every field a Go node needs. */
export function encodeDeployRequest(request: DeployRequest): Uint8Array {
  const retryCount = request.retry_count;
  return encodeJson({
    argv: nonEmpty(request.argv),
    description: request.description,
    type: request.type,
    location: request.location,
    essential: request.essential ?? false,
    workload_jwt: request.workload_jwt,
    environment: request.environment,
    jsdomain: request.jsdomain ?? "",
    sender_public_key: request.sender_public_key,
    target_node: request.target_node ?? "",
    trigger_subjects: nonEmpty(request.trigger_subjects),
    trigger_connection: request.trigger_connection,
    host_services: request.host_services,
    fresh: request.fresh === true ? true : undefined,
    concurrency: request.concurrency,
    retry_count: retryCount === undefined ? undefined : Math.max(0, wireInteger(retryCount)),
    retried_at: request.retried_at,
  });
}

/** Reads a DEPLOY request. Throws WIRE_INVALID, its message fit for `Unable to deserialize deploy request: `. */
export function parseDeployRequest(bytes: Uint8Array): DeployRequest {
  return parseWire(DeployRequest, bytes);
}

/** Bytes of a DEPLOY reply. */
export function encodeDeployReply({ started, id, issuer, name, isolation }: DeployReply): Uint8Array {
  return encodeReply("deploy", { started, id, issuer, name, isolation });
}

/** Reads a DEPLOY reply. Throws WIRE_INVALID or CONTROL_REFUSED. */
export function parseDeployReply(bytes: Uint8Array): DeployReply {
  return parseReplyData(DeployReply, bytes);
}

function nonEmpty(list: readonly string[] | undefined): readonly string[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function isTime(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/u.test(text) &&
    !Number.isNaN(Date.parse(text))
  );
}
