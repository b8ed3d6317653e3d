import { verifyDeployToken } from "../control-api/claims.ts";
import type { WorkloadClaims } from "../control-api/claims.ts";
import { parseDeployRequest } from "../control-api/deploy.ts";
import type { ConnectionCredentials, DeployRequest } from "../control-api/deploy.ts";
import { artifactLocation } from "../control-api/location.ts";
import { openEnvironment } from "../control-api/sealed-environment.ts";
import { isNamespace } from "../control-api/subjects.ts";
import { findDeniedTrigger } from "../control-api/trigger-overlap.ts";
import { NexError, errorText } from "../lib/errors.ts";
import { NODE_FULL } from "./node-state.ts";
import type { NodeState } from "./node-state.ts";
import { NO_RESTARTS } from "./restart-policy.ts";
import { fitsBytes, MAX_SUBJECT_BYTES, MAX_TOKEN_BYTES } from "./subject-limits.ts";
import { isFunctionType, WORKLOAD_TYPES } from "./workload.ts";
import type { Workload, WorkloadCredentials, WorkloadType } from "./workload.ts";

/**
 * Checks 0 to 9 of protocol.md 2.7.
 *
 * @throws {NexError} whose message is the answer's `error`
 */
export function checkDeploy(node: NodeState, namespace: string, body: Uint8Array): Workload {
  const { configuration, identity } = node;
  if (!isNamespace(namespace) || !fitsBytes(namespace, MAX_TOKEN_BYTES)) {
    throw refused("Invalid subject for workload deployment");
  }
  if (node.isLameDuck) throw refused("Node is in lame duck mode. Workload deploy request denied");
  if (node.isFull()) throw refused(NODE_FULL);
  const request = prefixed("Unable to deserialize deploy request", () =>
    parseFor(identity.key.publicKey, body),
  );
  const type = checkType(configuration.workload_types, request.type);
  const triggerSubjects = checkTriggers(
    configuration.deny_trigger_subjects,
    type,
    request.trigger_subjects ?? [],
  );
  return readWorkload(node, {
    namespace,
    request,
    type,
    triggerSubjects,
    checkClaims: (claims) => checkIssuer(configuration.valid_issuers, claims),
  });
}

/**
 * The workload of a deploy request that the node made for itself: of the checks only those of the environment, the
 * token and the location.
 *
 * @throws {NexError} whose message is the reason
 */
export function readOwnDeploy(node: NodeState, namespace: string, request: DeployRequest): Workload {
  if (!isNamespace(namespace)) throw refused(`Invalid namespace "${namespace}"`);
  return readWorkload(node, {
    namespace,
    request,
    type: checkType(WORKLOAD_TYPES, request.type),
    triggerSubjects: request.trigger_subjects ?? [],
    checkClaims: () => {},
  });
}

/** Checks 7 to 9. */
function readWorkload(
  { configuration, identity }: NodeState,
  parts: {
    readonly namespace: string;
    readonly request: DeployRequest;
    readonly type: WorkloadType;
    readonly triggerSubjects: readonly string[];
    readonly checkClaims: (claims: WorkloadClaims) => void;
  },
): Workload {
  const { namespace, request, type, triggerSubjects } = parts;
  const environment = prefixed("Failed to decrypt environment for deploy request", () =>
    openEnvironment({
      sealed: request.environment,
      recipient: identity.xkey,
      sender: request.sender_public_key,
    }),
  );
  const claims = prefixed("Invalid deploy request", () =>
    verifyDeployToken(request.workload_jwt, {
      now: Date.now() / 1000,
      maxAgeSeconds: configuration.max_token_age_s,
    }),
  );
  parts.checkClaims(claims);
  if (!fitsBytes(claims.workloadName, MAX_TOKEN_BYTES)) {
    throw refused(`Invalid deploy request: the workload name is longer than ${MAX_TOKEN_BYTES} characters`);
  }
  return {
    name: claims.workloadName,
    namespace,
    type,
    description: request.description,
    argv: request.argv ?? [],
    essential: request.essential ?? false,
    restarts: {
      ...NO_RESTARTS,
      count: request.retry_count ?? 0,
      retriedAt: request.retried_at === undefined ? undefined : new Date(request.retried_at),
    },
    triggerSubjects,
    fresh: request.fresh ?? false,
    concurrency: checkConcurrency(configuration.functions.concurrency, type, request),
    environment,
    triggerConnection: credentials(request.trigger_connection),
    hostServices: credentials(request.host_services),
    artifact: {
      ...prefixed("Failed to cache workload bytes", () => artifactLocation(request.location)),
      jsDomain: request.jsdomain ?? "",
    },
    claims,
    token: request.workload_jwt,
    targetNode: identity.key.publicKey,
  };
}

function parseFor(nodeId: string, body: Uint8Array): DeployRequest {
  const request = parseDeployRequest(body);
  const target = request.target_node ?? "";
  if (target !== "" && target !== nodeId) throw refused("target node mismatch");
  return request;
}

function checkType(allowed: readonly WorkloadType[], type: string): WorkloadType {
  const known = allowed.find((candidate) => candidate === type);
  if (known === undefined) throw refused(`Unsupported workload type on this node: ${type}`);
  return known;
}

function checkTriggers(
  denied: readonly string[],
  type: WorkloadType,
  subjects: readonly string[],
): readonly string[] {
  if (subjects.length > 0 && !isFunctionType(type)) {
    throw refused(`Unsupported workload type for trigger subject registration: ${type}`);
  }
  if (!subjects.every((subject) => fitsBytes(subject, MAX_SUBJECT_BYTES))) {
    throw refused(`A trigger subject is longer than ${MAX_SUBJECT_BYTES} bytes`);
  }
  const overlapping = findDeniedTrigger(subjects, denied);
  if (overlapping !== undefined) {
    throw refused(`The trigger subject ${overlapping} overlaps with subject(s) in this node's deny list`);
  }
  return subjects;
}

/** Functions run several invocations at a time, as many as asked for within the node's limit; a process runs once. */
function checkConcurrency(limit: number, type: WorkloadType, request: DeployRequest): number {
  const { fresh = false, concurrency } = request;
  if (isFunctionType(type)) return Math.min(concurrency ?? limit, limit);
  if (fresh) throw refused(`Unsupported workload type for fresh invocations: ${type}`);
  if (concurrency !== undefined) throw refused(`Unsupported workload type for concurrency: ${type}`);
  return 1;
}

function checkIssuer(allowed: readonly string[], claims: WorkloadClaims): void {
  if (allowed.length > 0 && !allowed.includes(claims.issuer)) {
    throw refused(`invalid workload issuer: ${claims.issuer}`);
  }
}

function credentials(given: ConnectionCredentials | undefined): WorkloadCredentials | undefined {
  if (given === undefined) return undefined;
  return { natsUrl: given.nats_url, userJwt: given.nats_user_jwt, userSeed: given.nats_user_seed };
}

function prefixed<T>(prefix: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    throw new NexError({ code: "DEPLOY_REFUSED", message: `${prefix}: ${errorText(cause)}`, cause });
  }
}

function refused(message: string): NexError {
  return new NexError({ code: "DEPLOY_REFUSED", message });
}
