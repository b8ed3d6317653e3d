import { errorText } from "../../lib/errors.ts";
import type { TokenBucket } from "../rate-limiters.ts";
import { linkMtu, runHostTool } from "./host-tools.ts";

/** The links of a machine inside its namespace. */
export interface MachineLinks {
  readonly namespace: string;
  /** Leads to the host. */
  readonly interfaceName: string;
  /** Leads to the guest. */
  readonly tapName: string;
}

/**
 * Limits each direction of a machine's network, before anything was sent: what goes to the guest where it leaves the tap,
 * what comes from it where it leaves for the host. The limits go with the namespace.
 *
 * @throws {Error} when the kernel cannot
 */
export async function limitBandwidth(
  { namespace, interfaceName, tapName }: MachineLinks,
  bucket: TokenBucket,
  signal: AbortSignal,
): Promise<void> {
  const options = tokenBucketFilter(bucket, await linkMtu({ namespace, interfaceName }, signal));
  if (options === undefined) return;
  const lines = [tapName, interfaceName].map((device) => `qdisc add dev ${device} root ${options}\n`);
  try {
    await runHostTool(["tc", "-n", namespace, "-batch", "-"], { input: lines.join(""), signal });
  } catch (cause) {
    const message = `the bandwidth cannot be limited (needs the kernel's sch_tbf; or leave rate_limiters.bandwidth out): ${errorText(cause)}`;
    throw new Error(message, { cause });
  }
}

/** What may wait for tokens before packets are dropped: what passes in that time, and at least so many packets. */
const QUEUE_MS = 50;
const QUEUE_PACKETS = 8;
/** A packet has a link header. */
const HEADER_BYTES = 64;
/** No link of a host is faster, and the kernel counts the queue in 32 bits. */
const MAX_RATE = 1e10;
const MAX_BURST = 2 ** 31 - 1;
/** The kernel keeps the time that a whole bucket takes, in units of 64 ns and in 32 bits. */
const MAX_FILL_SECONDS = 250;

/**
 * A token bucket as options of the kernel's filter of that kind (tc-tbf(8)); undefined where it limits nothing. The bucket
 * takes a packet at least, and its size in at most 250 s. A one-time burst has no counterpart and is left out.
 */
export function tokenBucketFilter({ size, refillTimeMs }: TokenBucket, mtu: number): string | undefined {
  if (size === 0 || refillTimeMs === 0) return undefined;
  const packet = mtu + HEADER_BYTES;
  const leastRate = Math.ceil(packet / MAX_FILL_SECONDS);
  const rate = clamp(Math.floor((size * 1000) / refillTimeMs), leastRate, MAX_RATE);
  const burst = clamp(size, packet, Math.min(MAX_BURST, rate * MAX_FILL_SECONDS));
  const queue = Math.max((rate * QUEUE_MS) / 1000, QUEUE_PACKETS * packet);
  return `tbf rate ${rate * 8}bit burst ${burst} limit ${Math.ceil(burst + queue)}`;
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
