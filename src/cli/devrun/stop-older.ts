import { setTimeout as delay } from "node:timers/promises";
import type { ControlClient, Machine, SigningKey } from "../../control-api/index.ts";
import { NexError } from "../../lib/errors.ts";
import { refusalReason } from "../refusal-reason.ts";

/** A node answers a stop once the workload is gone, which has time to leave. */
export const STOP_MS = 10_000;

/** Go's nodes answer a stop before the workload has ended. */
const SETTLE_MS = 500;

/** The copies to stop. */
export interface StopOlder {
  readonly client: ControlClient;
  readonly nodeId: string;
  /** What ran on the node before the new copy; other names are left alone. */
  readonly machines: readonly Machine[];
  readonly name: string;
  readonly issuer: SigningKey;
  /** At least {@link STOP_MS} is taken. */
  readonly timeoutMs: number;
  /** Wait a little after each stop, because the new copy starts next. */
  readonly settle: boolean;
  readonly onStopping: (id: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Stops the copies of a workload that run on a node, and returns their ids.
 *
 * @throws {NexError} as the node refuses it, or what `signal` was aborted with
 */
export async function stopOlder(order: StopOlder): Promise<string[]> {
  const { client, nodeId, machines, name, issuer, signal } = order;
  const timeoutMs = Math.max(order.timeoutMs, STOP_MS);
  const stopped: string[] = [];
  for (const { id } of machines.filter(({ workload }) => workload.name === name)) {
    order.onStopping(id);
    try {
      await client.stop({ nodeId, workloadId: id, workloadName: name, issuer, timeoutMs });
    } catch (error) {
      if (isGone(error)) continue;
      throw stopFailed(error);
    }
    stopped.push(id);
    if (order.settle) {
      await delay(SETTLE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
  return stopped;
}

/** It ended by itself between the listing and the stop. */
function isGone(error: unknown): boolean {
  return (
    error instanceof NexError &&
    error.code === "CONTROL_REFUSED" &&
    refusalReason(error) === "No such workload"
  );
}

function stopFailed(error: unknown): NexError {
  const reason = refusalReason(error);
  return new NexError({
    code: error instanceof NexError ? error.code : "INTERNAL",
    message: `target node failed to stop the existing workload. This may result in inconsistency or unexpected scale-out: ${reason}`,
    hint: "Deploy beside it with --no-stop, or stop it with the issuer key that deployed it",
    cause: error,
  });
}
