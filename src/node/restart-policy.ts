import type { LastExit } from "../control-api/info.ts";
import { backOffDelayMs } from "../lib/back-off.ts";
import { describeEnd, exitCodeOf } from "./machine.ts";
import type { MachineEnd } from "./machine.ts";

/** Delays between attempts: 0, 1, 2, 4, … 30 s (protocol.md 8.4). */
const BACK_OFF = { initialMs: 1000, maxMs: 30_000 };
/** A workload that ran this long has held: its next failure is answered at once again. */
const HELD_MS = 60_000;

/** What became of a workload over its instances. */
export interface RestartRecord {
  /** Attempts to deploy it again, failed ones included: `retry_count` on the wire. */
  readonly count: number;
  /** Time of the latest attempt: `retried_at` on the wire. */
  readonly retriedAt: Date | undefined;
  /** Attempts since an instance last held. */
  readonly streak: number;
  /** The end that led to the latest attempt. */
  readonly lastExit: LastExit | undefined;
}

/** The record of a workload in its first instance. */
export const NO_RESTARTS: RestartRecord = {
  count: 0,
  retriedAt: undefined,
  streak: 0,
  lastExit: undefined,
};

/** Whether a workload that ended so has failed: it left with a code other than 0, or its agent was lost. */
export function isFailure(end: MachineEnd): boolean {
  switch (end.kind) {
    case "exited":
    case "start-failed":
    case "agent-lost":
      return exitCodeOf(end) !== 0;
    case "stop-requested":
    case "node-shutdown":
    case "not-needed":
    case "deploy-failed":
      return false;
  }
}

/** The record after an instance failed that had run for `ranMs`. */
export function afterFailure(
  record: RestartRecord,
  failure: { readonly end: MachineEnd; readonly at: Date; readonly ranMs: number },
): RestartRecord {
  const { end, at, ranMs } = failure;
  return {
    ...record,
    streak: ranMs >= HELD_MS ? 0 : record.streak,
    lastExit: { code: exitCodeOf(end), reason: describeEnd(end), time: at.toISOString() },
  };
}

/** The record with which the next attempt is made. */
export function afterAttempt(record: RestartRecord, at: Date): RestartRecord {
  return { ...record, count: record.count + 1, streak: record.streak + 1, retriedAt: at };
}

/** How long to wait before the next attempt, in milliseconds. */
export function attemptDelayMs({ streak }: RestartRecord): number {
  return backOffDelayMs(BACK_OFF, streak);
}
