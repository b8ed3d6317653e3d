import { NexError, errorText } from "../lib/errors.ts";
import type { OpenedArtifact } from "./artifact-source.ts";
import type { NodeState } from "./node-state.ts";
import type { Artifact, Workload } from "./workload.ts";

/** How long reading an artifact from its object store may take. */
const FETCH_TIMEOUT_MS = 60_000;

export interface ArtifactIntake {
  readonly node: NodeState;
  readonly workload: Workload;
  readonly open: () => Promise<OpenedArtifact>;
  /** Called with the size before the bytes are read, so that it counts against the limits from then on. */
  readonly onSize: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Fetches a workload's artifact: the limits are checked on the size that the store reports, before the download
 * (protocol.md 2.7, checks 11 to 13, and 18.1 number 6).
 *
 * @throws {NexError} `ARTIFACT_UNAVAILABLE` or `LIMIT_REACHED`, with the answer's text
 */
export async function takeArtifact({
  node,
  workload,
  open,
  onSize,
  signal,
}: ArtifactIntake): Promise<Artifact> {
  const opened = await cached(open());
  checkSize(node, opened.bytes);
  onSize(opened.bytes);
  const artifact = await cached(
    opened.fetch(AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)])),
  );
  checkHash(workload, artifact.hash);
  return artifact;
}

async function cached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw unavailable(errorText(cause), cause);
  }
}

function checkSize(node: NodeState, bytes: number): void {
  const { max_workload_bytes: one, max_total_bytes: total } = node.configuration.node_limits;
  if (one > 0 && bytes > one) {
    throw new NexError({
      code: "LIMIT_REACHED",
      message: "Workload file size would exceed node limitations",
    });
  }
  if (total > 0 && bytes + node.machines.occupiedBytes() > total) {
    throw new NexError({
      code: "LIMIT_REACHED",
      message: "Workload file size would exceed node total limitations",
    });
  }
}

/** A `hash` claim that looks like a SHA-256 must be the artifact's; anything else (Go sends a constant) is ignored. */
function checkHash(workload: Workload, hash: string): void {
  const claimed = workload.claims.hash?.toLowerCase() ?? "";
  if (/^[0-9a-f]{64}$/.test(claimed) && claimed !== hash) {
    throw unavailable("the artifact's hash differs from the one in the workload JWT");
  }
}

function unavailable(detail: string, cause?: unknown): NexError {
  return new NexError({
    code: "ARTIFACT_UNAVAILABLE",
    message: `Failed to cache workload bytes: ${detail}`,
    cause,
  });
}
