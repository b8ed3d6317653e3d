import type { NatsConnection } from "@nats-io/transport-node";
import { residentMiB } from "../support/process-status.ts";
import { createControlFuzz } from "./control-messages.ts";
import type { FuzzTarget } from "./control-messages.ts";
import { fuzzedMessage } from "./mutate.ts";
import type { RandomSource } from "./random-source.ts";

export interface ControlFuzzOptions {
  readonly connection: NatsConnection;
  readonly target: FuzzTarget;
  /** Subject of the surviving function, which answers everything with `1`. */
  readonly survivorSubject: string;
  /** Process of the node, for its memory. */
  readonly pid: number;
  readonly messages: number;
  readonly random: RandomSource;
  /** Called after every 50000 messages. */
  readonly onProgress?: (sent: number, residentMiB: number) => void;
}

export interface FuzzReport {
  readonly sent: number;
  /** Replies that came back to the messages. */
  readonly replies: number;
  /** Of the node, after a tenth of the messages (everything is loaded then) and at the end. */
  readonly residentBeforeMiB: number;
  readonly residentAfterMiB: number;
}

const BATCH = 200;
const PROGRESS = 50_000;
const ANSWER_MS = 15_000;

/**
 * Publishes messages to every control, event and log subject. After each batch the node must answer a PING and the
 * function beside it a request; throws when one does not.
 */
export async function fuzzControl(options: ControlFuzzOptions): Promise<FuzzReport> {
  const { connection, target, survivorSubject, pid, messages, random, onProgress } = options;
  const next = await createControlFuzz(target, random);
  let replies = 0;
  let before: number | undefined;
  const inbox = `fuzz.replies.${random.below(1e9)}`;
  const answers = connection.subscribe(inbox, {
    callback: () => {
      replies += 1;
    },
  });
  for (let sent = 0; sent < messages; sent += BATCH) {
    for (let n = 0; n < Math.min(BATCH, messages - sent); n++) {
      const { subject, body } = next();
      connection.publish(subject, body, random.chance(0.9) ? { reply: inbox } : {});
    }
    await connection.request(`$NEX.PING.${target.nodeId}`, "", { timeout: ANSWER_MS });
    const answer = (await connection.request(survivorSubject, "", { timeout: ANSWER_MS })).string();
    if (answer !== "1") throw new Error(`The function beside answered "${answer}"`);
    if (sent >= messages / 10) before ??= await residentMiB(pid);
    if (sent > 0 && sent % PROGRESS === 0) onProgress?.(sent, await residentMiB(pid));
  }
  // Last, as it keeps deploys from getting far.
  for (let n = 0; n < BATCH; n++) {
    const body = fuzzedMessage(random, { delay_ms: 1 });
    connection.publish(`$NEX.LAMEDUCK.${target.nodeId}`, body, { reply: inbox });
  }
  await connection.request(`$NEX.PING.${target.nodeId}`, "", { timeout: ANSWER_MS });
  answers.unsubscribe();
  const after = await residentMiB(pid);
  return { sent: messages, replies, residentBeforeMiB: before ?? after, residentAfterMiB: after };
}
