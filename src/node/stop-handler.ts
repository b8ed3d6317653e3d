import { verifyStopToken } from "../control-api/claims.ts";
import { encodeFailure } from "../control-api/envelope.ts";
import { encodeStopReply, parseStopRequest } from "../control-api/stop.ts";
import type { StopRequest } from "../control-api/stop.ts";
import { NexError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { EssentialWorkloads } from "./essential-workloads.ts";
import type { NodeState } from "./node-state.ts";
import type { WorkloadManager } from "./workload-manager.ts";
import type { Workload } from "./workload.ts";

export interface StopHandlerOptions {
  readonly node: NodeState;
  readonly workloads: WorkloadManager;
  readonly essential: EssentialWorkloads;
  readonly logger: Logger;
}

/** Answers STOP once the workload and all it started are gone; the checks of protocol.md 2.9 in their order. */
export async function answerStop(
  options: StopHandlerOptions,
  namespace: string,
  body: Uint8Array,
): Promise<Uint8Array> {
  const { logger } = options;
  try {
    const { id, workload, end } = checkStop(options, namespace, body);
    await end();
    return encodeStopReply({ stopped: true, id, issuer: workload.claims.issuer, name: workload.name });
  } catch (error) {
    const reason = errorText(error);
    logger.warn("Refused a stop request", { namespace, reason });
    return encodeFailure("stop", reason);
  }
}

/**
 * Checks 1 to 4 of protocol.md 2.9. A workload of another namespace is answered like an unknown one.
 *
 * @throws {NexError} whose message is the answer's `error`
 */
function checkStop(options: StopHandlerOptions, namespace: string, body: Uint8Array): Stoppable {
  const { node } = options;
  const request = parseFor(node.identity.key.publicKey, body);
  const found = findStoppable(options, request.workload_id);
  if (found === undefined) throw refused("No such workload");
  const { workload } = found;
  // Before the claims: otherwise the texts of check 3 tell that another namespace has such a workload.
  if (workload.namespace !== namespace) throw refused("No such workload");
  try {
    verifyStopToken(request.workload_jwt, workload.claims, {
      deployToken: workload.token,
      workloadId: request.workload_id,
      now: Date.now() / 1000,
      maxAgeSeconds: node.configuration.max_token_age_s,
    });
  } catch (cause) {
    throw refused(`Invalid stop request: ${errorText(cause)}`, cause);
  }
  return found;
}

/** Something that runs, or waits to run again. */
interface Stoppable {
  readonly id: string;
  readonly workload: Workload;
  readonly end: () => Promise<void>;
}

function findStoppable(
  { node, workloads, essential }: StopHandlerOptions,
  id: string,
): Stoppable | undefined {
  const machine = node.machines.get(id);
  if (machine?.state.kind === "running") {
    const { workload } = machine.state;
    return { id, workload, end: async () => workloads.end(machine, { kind: "stop-requested" }) };
  }
  const waiting = essential.find(id);
  return waiting && { id, workload: waiting.workload, end: async () => essential.cancel(id) };
}

function parseFor(nodeId: string, body: Uint8Array): StopRequest {
  try {
    const request = parseStopRequest(body);
    const target = request.target_node ?? "";
    if (target !== "" && target !== nodeId) throw refused("target node mismatch");
    return request;
  } catch (cause) {
    throw refused(`Unable to deserialize stop request: ${errorText(cause)}`, cause);
  }
}

function refused(message: string, cause?: unknown): NexError {
  return new NexError({ code: "STOP_REFUSED", message, cause });
}
