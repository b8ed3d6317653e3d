import { jetstream } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { artifactLocation } from "../control-api/index.ts";
import type { GoUrl } from "../control-api/index.ts";

/** What the object store says of an artifact, without reading it. */
export interface StoredArtifact {
  /** Hex SHA-256 of the content. */
  readonly hash: string;
  readonly bytes: number;
}

/** Where to look. */
export interface StoredArtifactQuery {
  readonly location: GoUrl;
  readonly jetStreamDomain: string | undefined;
  readonly timeoutMs: number;
}

const DIGEST_PREFIX = "SHA-256=";

/**
 * Looks an artifact up. Undefined when there is none, or when we may not look: then the node, which may have other
 * permissions, has the last word.
 */
export async function findStoredArtifact(
  connection: NatsConnection,
  { location, jetStreamDomain, timeoutMs }: StoredArtifactQuery,
): Promise<StoredArtifact | undefined> {
  const { bucket, key } = artifactLocation(location);
  try {
    const client = jetstream(connection, {
      timeout: timeoutMs,
      ...(jetStreamDomain === undefined || jetStreamDomain === "" ? {} : { domain: jetStreamDomain }),
    });
    const store = await new Objm(client).open(bucket);
    const info = await store.info(key);
    if (info === null || info.deleted || !info.digest.startsWith(DIGEST_PREFIX)) return undefined;
    const digest = Buffer.from(info.digest.slice(DIGEST_PREFIX.length), "base64url");
    return digest.length === 32 ? { hash: digest.toString("hex"), bytes: info.size } : undefined;
  } catch {
    return undefined;
  }
}
