import { verifyDeployToken } from "../control-api/claims.ts";
import type { WorkloadClaims } from "../control-api/claims.ts";
import { encodeDeployReply, parseDeployRequest } from "../control-api/deploy.ts";
import type { ConnectionCredentials, DeployRequest } from "../control-api/deploy.ts";
import { encodeFailure } from "../control-api/envelope.ts";
import { artifactLocation } from "../control-api/location.ts";
import { openEnvironment } from "../control-api/sealed-environment.ts";
import { isNamespace } from "../control-api/subjects.ts";
import { findDeniedTrigger } from "../control-api/trigger-overlap.ts";
import { NexError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { OpenedArtifact } from "./artifact-source.ts";
import type { NodeState } from "./node-state.ts";
import type { WorkloadManager } from "./workload-manager.ts";
import { isFunctionType } from "./workload.ts";
import type { ArtifactLocation, Workload, WorkloadCredentials, WorkloadType } from "./workload.ts";

export interface DeployHandlerOptions {
  readonly node: NodeState;
  readonly workloads: WorkloadManager;
  readonly openArtifact: (location: ArtifactLocation) => Promise<OpenedArtifact>;
  readonly logger: Logger;
}

/** Answers DEPLOY: the checks of protocol.md 2.7 in their order, then the deploy itself. */
export async function answerDeploy(
  options: DeployHandlerOptions,
  namespace: string,
  body: Uint8Array,
): Promise<Uint8Array> {
  try {
    const workload = checkDeploy(options.node, namespace, body);
    const id = await options.workloads.deploy(workload, async () => options.openArtifact(workload.artifact));
    return encodeDeployReply({ started: true, id, issuer: workload.claims.issuer, name: workload.name });
  } catch (error) {
    const reason = errorText(error);
    options.logger.warn("Refused a deploy request", { namespace, reason });
    return encodeFailure("deploy", reason);
  }
}

/**
 * Checks 0 to 9 of protocol.md 2.7.
 *
 * @throws {NexError} whose message is the answer's `error`
 */
function checkDeploy(node: NodeState, namespace: string, body: Uint8Array): Workload {
  const { configuration, identity } = node;
  if (!isNamespace(namespace)) throw refused("Invalid subject for workload deployment");
  if (node.isLameDuck) throw refused("Node is in lame duck mode. Workload deploy request denied");
  if (node.isFull()) throw refused("Node is at maximum workload limit. Deploy request denied");
  const request = prefixed("Unable to deserialize deploy request", () =>
    parseFor(identity.key.publicKey, body),
  );
  const type = checkType(configuration.workload_types, request.type);
  const triggerSubjects = checkTriggers(
    configuration.deny_trigger_subjects,
    type,
    request.trigger_subjects ?? [],
  );
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
  checkIssuer(configuration.valid_issuers, claims);
  return {
    name: claims.workloadName,
    namespace,
    type,
    description: request.description,
    argv: request.argv ?? [],
    essential: request.essential ?? false,
    triggerSubjects,
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
  const overlapping = findDeniedTrigger(subjects, denied);
  if (overlapping !== undefined) {
    throw refused(`The trigger subject ${overlapping} overlaps with subject(s) in this node's deny list`);
  }
  return subjects;
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
