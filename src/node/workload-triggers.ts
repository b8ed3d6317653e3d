import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { EndpointCounts } from "./endpoint-counts.ts";
import type { NodeIdentity } from "./node-identity.ts";
import { functionService, triggerQueueGroup } from "./node-service.ts";
import { serveDiscovery } from "./service-discovery.ts";
import type { TriggerOutcome, TriggerRecord, Triggers } from "./triggers.ts";
import { openTriggers } from "./triggers.ts";
import type { WorkloadConnection } from "./workload-connection.ts";
import { isFunctionType } from "./workload.ts";
import type { Workload } from "./workload.ts";

const NO_TRIGGERS: Triggers = { subjects: [], close: async () => {} };

export interface WorkloadTriggerOptions {
  readonly identity: NodeIdentity;
  readonly workloadId: string;
  readonly workload: Workload;
  readonly connect: (workload: Workload) => Promise<WorkloadConnection>;
  readonly invoke: (subject: string, payload: Uint8Array) => Promise<TriggerOutcome>;
  readonly onDone: (record: TriggerRecord) => void;
  readonly logger: Logger;
}

/**
 * Connects for a function, subscribes its triggers and shows it to service discovery there; closing them closes the
 * connection, too. A native workload has none and gets no connection.
 *
 * @throws {NexError} why connecting or subscribing failed; nothing stays open
 */
export async function openWorkloadTriggers(options: WorkloadTriggerOptions): Promise<Triggers> {
  const { identity, workloadId, workload, connect, invoke, onDone, logger } = options;
  if (!isFunctionType(workload.type)) return NO_TRIGGERS;
  const connection = await connect(workload);
  const counts = new Map(workload.triggerSubjects.map((subject) => [subject, new EndpointCounts()]));
  try {
    const triggers = await openTriggers({
      connection: connection.triggers,
      subjects: workload.triggerSubjects,
      queueGroup: triggerQueueGroup(workload),
      invoke,
      onDone: (record) => {
        const { outcome, pattern, durationNs } = record;
        counts.get(pattern)?.add(durationNs, outcome.kind === "failed" ? outcome.message : undefined);
        onDone(record);
      },
      onSubscriptionError: (subject, error) =>
        logger.error("Trigger subscription ended", {
          workload: workload.name,
          subject,
          error: errorText(error),
        }),
    });
    const service = functionService(identity, workloadId, workload, counts);
    const discovery = serveDiscovery(connection.triggers, service);
    const close = async (): Promise<void> => {
      discovery[Symbol.dispose]();
      await triggers.close();
      await connection.close();
    };
    return { subjects: triggers.subjects, close };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
