import { setTimeout as delay } from "node:timers/promises";
import { createStopToken, STOP_CLONED } from "./claims.ts";
import { ControlRefusedError } from "./envelope.ts";
import type { SigningKey } from "./keys.ts";
import { encodeStopRequest, type StopReply } from "./stop.ts";

/** What to stop, and who answers for it. */
export interface StopOrder {
  /** Public key of the node. */
  readonly nodeId: string;
  readonly workloadId: string;
  readonly workloadName: string;
  /** The key that signed the deploy. */
  readonly issuer: SigningKey;
  /** Default the client's. */
  readonly timeoutMs?: number;
}

/**
 * Signs and sends a stop. Nodes refuse a stop token of the same second as the deploy token, so it waits for the next
 * second when the deploy is known, and tries once more a second later when a node refuses for that reason.
 */
export async function stopWorkload(
  order: StopOrder,
  {
    deployedAt,
    send,
  }: {
    /** Second (Unix) of the deploy token, if known. */
    readonly deployedAt: number | undefined;
    readonly send: (payload: Uint8Array) => Promise<StopReply>;
  },
): Promise<StopReply> {
  const earliest = deployedAt === undefined ? 0 : deployedAt + 1;
  const signAndSend = (): Promise<StopReply> => send(encodeStopRequest(createRequest(order, earliest)));
  // Not longer than that second lasts, even if the clock was set back.
  const waitMs = Math.min(earliest * 1000 - Date.now(), 1000);
  if (waitMs > 0) await delay(waitMs);
  try {
    return await signAndSend();
  } catch (error) {
    if (!(error instanceof ControlRefusedError && error.reason.endsWith(STOP_CLONED))) throw error;
  }
  await delay(1000);
  return signAndSend();
}

function createRequest(
  { nodeId, workloadId, workloadName, issuer }: StopOrder,
  earliest: number,
): Parameters<typeof encodeStopRequest>[0] {
  // A timer may fire a little early.
  const issuedAt = Math.max(earliest, Math.floor(Date.now() / 1000));
  return {
    workload_id: workloadId,
    workload_jwt: createStopToken({ issuer, workloadName, workloadId, issuedAt }),
    target_node: nodeId,
  };
}
