import { createHash } from "node:crypto";
import * as z from "zod";
import { NexError, errorText } from "../lib/errors.ts";
import { agentSubjects } from "./agent-subjects.ts";
import { encodeJson, parseJson } from "./json.ts";
import { ERROR_HEADER } from "./link-headers.ts";
import type { Link } from "./link.ts";

/** Header of a chunk: size of the whole artifact in bytes. */
export const ARTIFACT_SIZE_HEADER = "x-nex-artifact-size";
/** Most bytes of one chunk. */
export const ARTIFACT_CHUNK_BYTES = 512 * 1024;

const CHUNK_TIMEOUT_MS = 5000;

/** Request for the chunk that starts at `offset`, on `agentSubjects.artifact`. */
const ArtifactRequest = z.object({ offset: z.number().int().nonnegative() });
type ArtifactRequest = z.output<typeof ArtifactRequest>;

/** Lets the agent `id` fetch the artifact, chunk by chunk, until disposed. `bytes` must not change meanwhile. */
export function serveArtifact(link: Link, id: string, bytes: Uint8Array): Disposable {
  const headers = { [ARTIFACT_SIZE_HEADER]: String(bytes.length) };
  return link.handle(agentSubjects.artifact(id), (message) => {
    const { offset } = parseJson("an artifact request", ArtifactRequest, message.body);
    return { headers, body: bytes.subarray(offset, offset + ARTIFACT_CHUNK_BYTES) };
  });
}

/** What the deploy request said about the artifact. */
export interface ArtifactFetch {
  readonly totalBytes: number;
  /** Hex SHA-256. */
  readonly hash: string;
  readonly signal?: AbortSignal;
}

/**
 * Fetches the artifact of the agent `id` and checks its size and hash.
 *
 * @throws {NexError} `ARTIFACT_CORRUPT`, `ABORTED`, or why a request failed (`LINK_…`)
 */
export async function fetchArtifact(link: Link, id: string, expected: ArtifactFetch): Promise<Uint8Array> {
  const { totalBytes, hash, signal } = expected;
  const bytes = new Uint8Array(totalBytes);
  let offset = 0;
  do {
    const chunk = await abortable(fetchChunk(link, id, offset, totalBytes), signal);
    bytes.set(chunk, offset);
    offset += chunk.length;
  } while (offset < totalBytes);
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== hash.toLowerCase()) throw corrupt(`its SHA-256 is "${actual}" instead of "${hash}"`);
  return bytes;
}

async function fetchChunk(link: Link, id: string, offset: number, totalBytes: number): Promise<Uint8Array> {
  const request: ArtifactRequest = { offset };
  const response = await link.request(agentSubjects.artifact(id), encodeJson(request), {
    timeoutMs: CHUNK_TIMEOUT_MS,
  });
  const failure = response.headers[ERROR_HEADER];
  if (failure !== undefined) throw corrupt(failure);
  const size = response.headers[ARTIFACT_SIZE_HEADER];
  if (size !== String(totalBytes))
    throw corrupt(`it has ${size ?? "unknown"} bytes instead of ${totalBytes}`);
  const { length } = response.body;
  if (length > totalBytes - offset || (length === 0 && offset < totalBytes)) {
    throw corrupt(`got ${length} bytes at offset ${offset} of ${totalBytes}`);
  }
  return response.body;
}

async function abortable<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void =>
    reject(
      new NexError({
        code: "ABORTED",
        message: `Stopped to fetch the artifact: ${errorText(signal.reason)}`,
        cause: signal.reason,
      }),
    );
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {});
  }
}

function corrupt(reason: string): NexError {
  return new NexError({ code: "ARTIFACT_CORRUPT", message: `Cannot take the artifact: ${reason}` });
}
