import { createDeployToken } from "./claims.ts";
import type { ConnectionCredentials, DeployRequest, WorkloadType } from "./deploy.ts";
import type { SigningKey } from "./keys.ts";
import { artifactLocation, parseLocation, type GoUrl } from "./location.ts";
import { sealEnvironment, type WorkloadEnvironment } from "./sealed-environment.ts";
import type { SealingKey } from "./sealing-key.ts";

/** What to deploy, where, and who answers for it. */
export interface DeployOrder {
  /** Public key of the node. */
  readonly nodeId: string;
  /** Public xkey of the node (`target_xkey`, `public_xkey`). Default: asked from the node. */
  readonly nodeXkey?: string;
  /** Letters, digits, `_` and `-`. */
  readonly workloadName: string;
  readonly workloadType: WorkloadType;
  /** Where the artifact is stored: `nats://BUCKET/OBJECT` in an object store. */
  readonly location: string | GoUrl;
  /** JetStream domain of the bucket. Default none. */
  readonly jsDomain?: string;
  /** Hex SHA-256 of the artifact, for the node to check. */
  readonly hash?: string;
  /** Signs the token; only the same key may stop the workload. */
  readonly issuer: SigningKey;
  /** Seals the environment. */
  readonly publisher: SealingKey;
  /** Default empty. */
  readonly environment?: WorkloadEnvironment;
  readonly description?: string;
  /** Arguments after the program name. */
  readonly arguments?: readonly string[];
  /** Redeploy on failure; native only. Default false. */
  readonly essential?: boolean;
  /** Functions only. */
  readonly triggerSubjects?: readonly string[];
  /** Connection on which the node subscribes the trigger subjects. */
  readonly triggerConnection?: ConnectionCredentials;
  /** Connection of the workload's host services. */
  readonly hostServices?: ConnectionCredentials;
  /** Start every invocation with nothing of the last one; functions only. Default false. */
  readonly fresh?: boolean;
  /** Invocations at a time, 1 or more; functions only. Default what the node allows. */
  readonly concurrency?: number;
  /** Set when this is a redeploy. */
  readonly retryCount?: number;
  /** When it was redeployed. */
  readonly retriedAt?: Date;
  /** Default the client's. */
  readonly timeoutMs?: number;
}

/** The request for an order, and the second (Unix) its token was signed in. Checks first, then asks for the xkey. */
export async function createDeployment(
  order: DeployOrder,
  findNodeXkey: () => Promise<string>,
): Promise<{ readonly issuedAt: number; readonly request: DeployRequest }> {
  const { workloadName, issuer, publisher, environment = {} } = order;
  const location = readLocation(order.location);
  const hash = order.hash === undefined ? {} : { hash: order.hash };
  // Fails for a bad name before anything is asked from the node; signed again below, for the time may have moved on.
  createDeployToken({ issuer, workloadName, ...hash });
  const sealed = sealEnvironment({ environment, sender: publisher, recipient: await findNodeXkey() });
  const issuedAt = Math.floor(Date.now() / 1000);
  return {
    issuedAt,
    request: {
      argv: order.arguments,
      description: order.description ?? "",
      type: order.workloadType,
      location,
      essential: order.essential ?? false,
      workload_jwt: createDeployToken({ issuer, workloadName, issuedAt, ...hash }),
      environment: sealed,
      jsdomain: order.jsDomain ?? "",
      sender_public_key: publisher.publicKey,
      target_node: order.nodeId,
      trigger_subjects: order.triggerSubjects,
      trigger_connection: order.triggerConnection,
      host_services: order.hostServices,
      fresh: order.fresh,
      concurrency: order.concurrency,
      retry_count: order.retryCount,
      retried_at: order.retriedAt?.toISOString(),
    },
  };
}

function readLocation(location: string | GoUrl): GoUrl {
  if (typeof location === "string") return parseLocation(location);
  artifactLocation(location);
  return location;
}
