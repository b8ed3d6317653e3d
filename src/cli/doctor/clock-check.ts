import { z } from "zod";
import { parseDuration } from "../arguments/duration.ts";
import { nodeName } from "../node-name.ts";
import type { Finding, Patient } from "./check.ts";
import { BUCKET_STREAM, openManager } from "./jetstream-check.ts";

/** Nodes refuse tokens whose time is further off than this (`max_token_age_s`, by default). */
const NODE_LIMIT_S = 300;
const NOTICEABLE_S = 5;

/** What a node says of itself as a micro service, as far as it is read here. */
const NodeStatistics = z.object({ started: z.iso.datetime({ offset: true }) });

/** A clock, and how far it is before ours, in milliseconds. */
interface ClockReading {
  readonly clock: string;
  readonly aheadMs: number;
}

/**
 * Compares this machine's clock with those that count: the NATS server's, which stamps every description of a stream, and
 * the nodes', which is when they started and how long they run (to the second).
 */
export async function checkClock(patient: Patient): Promise<Finding> {
  const readings = [...(await serverClock(patient)), ...(await nodeClocks(patient))];
  const [first] = readings;
  if (first === undefined) {
    return {
      status: "skipped",
      summary: "nothing to compare with: the server has no stream yet, and no node tells its time",
    };
  }
  const worst = readings.reduce((a, b) => (Math.abs(b.aheadMs) > Math.abs(a.aheadMs) ? b : a), first);
  const details = {
    limit_s: NODE_LIMIT_S,
    clocks: readings.map(({ clock, aheadMs }) => ({ clock, ahead_ms: Math.round(aheadMs) })),
  };
  const seconds = Math.abs(worst.aheadMs) / 1000;
  const direction = worst.aheadMs > 0 ? "ahead of" : "behind";
  const summary = `${worst.clock} is ${seconds.toFixed(1)} s ${direction} this machine`;
  const fix = 'Set the clocks by NTP ("timedatectl set-ntp true"), on this machine and on the other';
  if (seconds > NODE_LIMIT_S) {
    return {
      status: "failed",
      summary: `${summary}; nodes refuse requests more than ${NODE_LIMIT_S} s off`,
      fix,
      details,
    };
  }
  if (seconds > NOTICEABLE_S) return { status: "warning", summary, fix, details };
  const names = readings.map(({ clock }) => clock);
  return { status: "ok", summary: `within ${NOTICEABLE_S} s of ${names.join(", ")}`, details };
}

async function serverClock(patient: Patient): Promise<ClockReading[]> {
  try {
    const manager = await openManager(patient);
    const before = Date.now();
    const { ts } = await manager.streams.info(BUCKET_STREAM);
    const between = (before + Date.now()) / 2;
    const told = Date.parse(ts ?? "");
    return Number.isNaN(told) ? [] : [{ clock: "the NATS server", aheadMs: told - between }];
  } catch {
    // No JetStream, no bucket, no permission: other checks say so.
    return [];
  }
}

async function nodeClocks(patient: Patient): Promise<ClockReading[]> {
  const { client, connection, timeoutMs } = patient;
  const nodes = await patient.nodes();
  const readings = await Promise.all(
    nodes.map(async ({ node_id: id, tags }): Promise<ClockReading[]> => {
      try {
        const statistics = await connection.request(`$SRV.STATS.nex-node.${id}`, "", { timeout: timeoutMs });
        const { started } = NodeStatistics.parse(statistics.json());
        const before = Date.now();
        const { uptime } = await client.pingNode(id);
        const between = (before + Date.now()) / 2;
        // The uptime is cut to seconds.
        const told = Date.parse(started) + parseDuration(uptime) + 500;
        return [{ clock: `node ${nodeName(tags)}`, aheadMs: told - between }];
      } catch {
        // Nodes of other releases are no micro services.
        return [];
      }
    }),
  );
  return readings.flat();
}
