import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { exitCodeOf, ownerOf } from "./machine.ts";
import type { Machine, MachineEnd } from "./machine.ts";
import type { Workload } from "./workload.ts";

/** How long a workload has to leave after its first signal (protocol.md 8.3). */
const STOP_GRACE_MS = 5000;

/** A workload that ran, and how that ended. */
export interface EndedWorkload {
  /** Its id. */
  readonly id: string;
  readonly workload: Workload;
  /** Hex SHA-256 of the artifact. */
  readonly hash: string;
  readonly reason: MachineEnd;
  readonly ranMs: number;
}

/**
 * Takes one machine down: triggers first, then the workload, then the sandbox. Resolves once all of it is gone, with
 * the workload if one ran. Never rejects.
 */
export async function endMachine(
  machine: Machine,
  reason: MachineEnd,
  { onStopping, logger }: { readonly onStopping: () => void; readonly logger: Logger },
): Promise<EndedWorkload | undefined> {
  const { state, id } = machine;
  if (state.kind === "warming" || state.kind === "stopping" || state.kind === "ended") return undefined;
  const { agent } = state;
  const attempt = async (action: string, work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      logger.warn("Cannot end a machine cleanly", { action, error: errorText(error) });
    }
  };
  machine.become({ kind: "stopping", reason, owner: ownerOf(machine) });
  const stoppedAt = Date.now();
  onStopping();
  if (state.kind === "running") await attempt("drain triggers", state.triggers.close());
  if ((state.kind === "running" || state.kind === "assisting") && isReachable(reason)) {
    await attempt("undeploy", agent.undeploy(STOP_GRACE_MS));
  }
  await attempt("stop the sandbox", agent.stop(STOP_GRACE_MS));
  machine.become({ kind: "ended", reason });
  logger.info("Machine ended", { workload_id: id, reason: reason.kind, code: exitCodeOf(reason) });
  // A deploy that failed is answered, not announced: the workload never ran.
  if (state.kind !== "running") return undefined;
  const { workload, hash, since } = state;
  return { id, workload, hash, reason, ranMs: stoppedAt - since.getTime() };
}

/** Whether there is still an agent with a workload to talk to. */
function isReachable({ kind }: MachineEnd): boolean {
  return kind === "stop-requested" || kind === "node-shutdown" || kind === "not-needed";
}
