import { createHash } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { Objm, setSha256Backend } from "@nats-io/obj";
import type { ObjectInfo, ObjectStore } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { NexError, errorText } from "../lib/errors.ts";
import { fitsBytes, MAX_SUBJECT_BYTES, MAX_TOKEN_BYTES } from "./subject-limits.ts";
import type { Artifact, ArtifactLocation } from "./workload.ts";

setSha256Backend("native");

/** An artifact whose size is known and whose bytes are not fetched yet. */
export interface OpenedArtifact {
  /** Size in bytes as the object store reports it. */
  readonly bytes: number;
  /**
   * Reads the whole object and checks it against the store's digest.
   *
   * @throws {NexError} `ARTIFACT_UNAVAILABLE`
   */
  fetch(signal: AbortSignal): Promise<Artifact>;
}

/**
 * Looks an artifact up in its object store without reading it.
 *
 * @throws {NexError} `ARTIFACT_UNAVAILABLE` with the texts of the Go client: `nats: stream not found` (no such bucket),
 * `nats: object not found`
 */
export async function openArtifact(
  connection: NatsConnection,
  { bucket, key, jsDomain }: ArtifactLocation,
): Promise<OpenedArtifact> {
  const store = await openStore(connection, bucket, jsDomain);
  const info = await objectInfo(store, key);
  return {
    bytes: info.size,
    fetch: async (signal) => readObject(store, key, info.size, signal),
  };
}

async function openStore(connection: NatsConnection, bucket: string, jsDomain: string): Promise<ObjectStore> {
  if (!isName(bucket)) throw unavailable("nats: stream not found");
  if (jsDomain !== "" && !isName(jsDomain)) throw unavailable("the JetStream domain is not valid");
  try {
    const client = jetstream(connection, jsDomain === "" ? {} : { domain: jsDomain });
    return await new Objm(client).open(bucket);
  } catch (cause) {
    throw unavailable(goText(cause), cause);
  }
}

async function objectInfo(store: ObjectStore, key: string): Promise<ObjectInfo> {
  let info: ObjectInfo | null;
  try {
    info = key === "" || !fitsBytes(key, MAX_SUBJECT_BYTES) ? null : await store.info(key);
  } catch (cause) {
    throw unavailable(goText(cause), cause);
  }
  if (info === null || info.deleted) throw unavailable("nats: object not found");
  return info;
}

async function readObject(
  store: ObjectStore,
  key: string,
  size: number,
  signal: AbortSignal,
): Promise<Artifact> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void =>
    aborted.reject(unavailable(`stopped reading the object: ${errorText(signal.reason)}`, signal.reason));
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const bytes = await Promise.race([readAll(store, key, size), aborted.promise]);
    return { bytes, hash: createHash("sha256").update(bytes).digest("hex") };
  } catch (cause) {
    throw cause instanceof NexError ? cause : unavailable(goText(cause), cause);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function readAll(store: ObjectStore, key: string, size: number): Promise<Uint8Array> {
  const result = await store.get(key);
  if (result === null) throw unavailable("nats: object not found");
  const bytes = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of result.data) {
    if (filled + chunk.length > size) throw unavailable("the object changed while it was read");
    bytes.set(chunk, filled);
    filled += chunk.length;
  }
  const error = await result.error;
  if (error instanceof Error) throw error;
  if (filled !== size) throw unavailable("the object changed while it was read");
  return bytes;
}

/** As buckets and domains may be called. */
function isName(text: string): boolean {
  return /^[-\w]+$/.test(text) && fitsBytes(text, MAX_TOKEN_BYTES);
}

function goText(cause: unknown): string {
  const text = errorText(cause);
  if (/jetstream is not enabled/i.test(text)) return "JetStream is not enabled on the node's NATS connection";
  return /stream not found|object ?store not found|bucket not found/i.test(text)
    ? "nats: stream not found"
    : text;
}

function unavailable(detail: string, cause?: unknown): NexError {
  return new NexError({ code: "ARTIFACT_UNAVAILABLE", message: detail, cause });
}
