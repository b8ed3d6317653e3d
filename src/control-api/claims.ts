/*
 * Workload tokens: NATS JWTs (v2, generic claims) by which an issuer asks a node to deploy or to stop a workload.
 *
 * C1  A stop token counts only for a workload of the same name and issuer, and only when it was made later than the
 *     deploy token: a captured or copied one is refused.
 * C2  Tokens older (or newer) than the maximum age are refused, deploy and stop alike; that ends replays.
 * C3  The texts of refusals are part of the wire: clients show them, and ours retries on STOP_CLONED.
 */
import { NexError } from "../lib/errors.ts";
import type { SigningKey } from "./keys.ts";
import { decodeToken, encodeToken } from "./token.ts";

/** What a verified token says. */
export interface WorkloadClaims {
  /** `jti`: the same for two tokens of one issuer, name and second. */
  readonly id: string;
  /** `iat`, Unix seconds. */
  readonly issuedAt: number;
  /** `iss`, the public key that signed. */
  readonly issuer: string;
  /** `sub`. */
  readonly workloadName: string;
  /** `nats.hash`: meant to be the artifact's hex SHA-256; Go clients send a constant text. */
  readonly hash?: string;
  /** `nats.workload_id`: our stop tokens name the workload they mean. */
  readonly workloadId?: string;
  /** `exp`, Unix seconds. */
  readonly expiresAt?: number;
  /** `nbf`, Unix seconds. */
  readonly notBefore?: number;
}

export interface DeployTokenInit {
  readonly issuer: SigningKey;
  readonly workloadName: string;
  /** Hex SHA-256 of the artifact. */
  readonly hash?: string;
  /** Unix seconds. Default now. */
  readonly issuedAt?: number;
}

export interface StopTokenInit {
  readonly issuer: SigningKey;
  readonly workloadName: string;
  readonly workloadId?: string;
  /** Unix seconds, later than the deploy token's. Default now. */
  readonly issuedAt?: number;
}

export interface DeployTokenChecks {
  /** The clock of the node, Unix seconds. */
  readonly now: number;
  /** Largest distance between `now` and the token's `issuedAt`; 0 switches the check off. */
  readonly maxAgeSeconds: number;
}

export interface StopTokenChecks extends DeployTokenChecks {
  /** Id of the workload to be stopped. */
  readonly workloadId: string;
  /** Text of the token it was deployed with. */
  readonly deployToken: string;
}

/** The refusal of a stop token that looks copied or was signed in the second of the deploy. */
export const STOP_CLONED =
  "stop claims appear to be cloned or captured from the original start claims. Rejecting for security reasons";

const NAME_PATTERN = /^[a-zA-Z0-9_-]+$/u;
const STANDARD_CLAIMS_INVALID = "standard claims within JWT are not valid";

/** Whether a workload may be called so: letters, digits, `_` and `-`. */
export function isWorkloadName(name: string): boolean {
  return NAME_PATTERN.test(name);
}

/** A token that asks to deploy. Throws WORKLOAD_NAME_INVALID. */
export function createDeployToken({ issuer, workloadName, hash, issuedAt }: DeployTokenInit): string {
  return createToken(issuer, workloadName, { issuedAt, custom: { hash, version: 2 } });
}

/** A token that asks to stop. Throws WORKLOAD_NAME_INVALID. */
export function createStopToken({ issuer, workloadName, workloadId, issuedAt }: StopTokenInit): string {
  return createToken(issuer, workloadName, { issuedAt, custom: { version: 2, workload_id: workloadId } });
}

/**
 * Verifies a deploy token. Whether its issuer is allowed is up to the node. Throws CLAIMS_INVALID with the text that
 * follows `Invalid deploy request: `.
 */
export function verifyDeployToken(token: string, checks: DeployTokenChecks): WorkloadClaims {
  const claims = decodeToken(token);
  if (!NAME_PATTERN.test(claims.workloadName)) {
    throw refused(
      `workload name claim ('${claims.workloadName}') does not match requirements (^[a-zA-Z0-9_-]+$)`,
    );
  }
  const { now } = checks;
  const expired = claims.expiresAt !== undefined && claims.expiresAt > 0 && now > claims.expiresAt;
  const early = claims.notBefore !== undefined && claims.notBefore > 0 && claims.notBefore > now;
  if (expired || early || isTooOld(claims, checks)) throw refused(STANDARD_CLAIMS_INVALID);
  return claims;
}

/**
 * Verifies a stop token against the claims the workload was deployed with. Throws CLAIMS_INVALID with the text that
 * follows `Invalid stop request: `.
 */
export function verifyStopToken(
  token: string,
  deployClaims: WorkloadClaims,
  checks: StopTokenChecks,
): WorkloadClaims {
  const claims = decodeToken(token);
  // A Go node also refuses a stop that was signed in the second of the deploy; that is no sign of a captured token.
  const cloned = token === checks.deployToken || claims.issuedAt < deployClaims.issuedAt;
  if (cloned) throw refused(STOP_CLONED);
  if (claims.workloadName !== deployClaims.workloadName) {
    throw refused("stop claims subject does not match original start claims subject");
  }
  if (claims.issuer !== deployClaims.issuer) {
    throw refused("the only entity allowed to terminate a workload is the issuer that originally started it");
  }
  if (claims.workloadId !== undefined && claims.workloadId !== checks.workloadId) {
    throw refused("stop claims are for another workload");
  }
  if (isTooOld(claims, checks)) throw refused(STANDARD_CLAIMS_INVALID);
  return claims;
}

/** The keys of `custom` are in alphabetical order, as Go writes maps; undefined ones are left out. */
function createToken(
  issuer: SigningKey,
  workloadName: string,
  {
    issuedAt,
    custom,
  }: { readonly issuedAt: number | undefined; readonly custom: Readonly<Record<string, unknown>> },
): string {
  if (!isWorkloadName(workloadName)) {
    throw new NexError({
      code: "WORKLOAD_NAME_INVALID",
      message: `Workload name ${JSON.stringify(workloadName)} is not valid`,
      hint: "Use letters, digits, _ and - only",
    });
  }
  return encodeToken({
    issuer,
    subject: workloadName,
    issuedAt: issuedAt ?? Math.floor(Date.now() / 1000),
    custom,
  });
}

function isTooOld({ issuedAt }: WorkloadClaims, { now, maxAgeSeconds }: DeployTokenChecks): boolean {
  return maxAgeSeconds > 0 && Math.abs(now - issuedAt) > maxAgeSeconds;
}

function refused(message: string): NexError {
  return new NexError({ code: "CLAIMS_INVALID", message });
}
