import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { TriggerOutcome, TriggerRecord, Triggers } from "./triggers.ts";
import { openTriggers } from "./triggers.ts";
import type { WorkloadConnection } from "./workload-connection.ts";
import { isFunctionType } from "./workload.ts";
import type { Workload } from "./workload.ts";

const NO_TRIGGERS: Triggers = { subjects: [], close: async () => {} };

export interface WorkloadTriggerOptions {
  readonly workload: Workload;
  readonly connect: (workload: Workload) => Promise<WorkloadConnection>;
  readonly invoke: (subject: string, payload: Uint8Array) => Promise<TriggerOutcome>;
  readonly onDone: (record: TriggerRecord) => void;
  readonly logger: Logger;
}

/**
 * Connects for a function and subscribes its triggers; closing them closes the connection, too. A native workload has
 * none and gets no connection.
 *
 * @throws {NexError} why connecting or subscribing failed; nothing stays open
 */
export async function openWorkloadTriggers(options: WorkloadTriggerOptions): Promise<Triggers> {
  const { workload, connect, invoke, onDone, logger } = options;
  if (!isFunctionType(workload.type)) return NO_TRIGGERS;
  const connection = await connect(workload);
  try {
    const triggers = await openTriggers({
      connection: connection.triggers,
      subjects: workload.triggerSubjects,
      queueGroup: `${workload.namespace}.${workload.name}`,
      invoke,
      onDone,
      onSubscriptionError: (subject, error) =>
        logger.error("Trigger subscription ended", {
          workload: workload.name,
          subject,
          error: errorText(error),
        }),
    });
    const close = async (): Promise<void> => {
      await triggers.close();
      await connection.close();
    };
    return { subjects: triggers.subjects, close };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
