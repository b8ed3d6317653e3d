import type { WorkloadClaims } from "../control-api/claims.ts";
import type { RestartRecord } from "./restart-policy.ts";

/** The workload types a node can run. `oci` is known to the protocol but not implemented. */
export const WORKLOAD_TYPES = ["native", "v8", "wasm"] as const;
export type WorkloadType = (typeof WORKLOAD_TYPES)[number];

/** Credentials of a connection that came with a deploy request. */
export interface WorkloadCredentials {
  readonly natsUrl: string;
  readonly userJwt: string;
  readonly userSeed: string;
}

/** What runs, or is about to: the checked content of a deploy request. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly type: WorkloadType;
  readonly description: string;
  readonly argv: readonly string[];
  /** Deployed again when it fails; native only. */
  readonly essential: boolean;
  /** What happened to its earlier instances. */
  readonly restarts: RestartRecord;
  readonly triggerSubjects: readonly string[];
  /** Every invocation starts with nothing of the last one; functions only. */
  readonly fresh: boolean;
  /** Invocations at a time, as the node allows them. */
  readonly concurrency: number;
  /** Decrypted; never logged. */
  readonly environment: Readonly<Record<string, string>>;
  readonly triggerConnection: WorkloadCredentials | undefined;
  readonly hostServices: WorkloadCredentials | undefined;
  /** Where the artifact lies: bucket, object key and JetStream domain ("" for none). */
  readonly artifact: ArtifactLocation;
  /** The claims of the deploy token and the token itself: a stop is checked against them. */
  readonly claims: WorkloadClaims;
  readonly token: string;
  /** `target_node` of the request: the first half of the event source. */
  readonly targetNode: string;
}

/** An object in a NATS object store. */
export interface ArtifactLocation {
  readonly bucket: string;
  readonly key: string;
  readonly jsDomain: string;
}

/** A fetched artifact. */
export interface Artifact {
  readonly bytes: Uint8Array;
  /** Hex SHA-256. */
  readonly hash: string;
}

/** Whether workloads of a type are run by trigger messages. */
export function isFunctionType(type: WorkloadType): boolean {
  return type !== "native";
}
