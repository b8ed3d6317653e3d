import type { WorkloadServices } from "../host-services/host/host-services.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { AgentSession } from "./agent-session.ts";
import { EndpointCounts } from "./endpoint-counts.ts";
import { InvocationQueue } from "./invocation-queue.ts";
import type { Instance } from "./invocation-queue.ts";
import type { NodeIdentity } from "./node-identity.ts";
import { functionService, triggerQueueGroup } from "./node-service.ts";
import { serveDiscovery } from "./service-discovery.ts";
import type { TriggerRecord, Triggers } from "./triggers.ts";
import { openTriggers } from "./triggers.ts";
import type { WorkloadConnection } from "./workload-connection.ts";
import { isFunctionType } from "./workload.ts";
import type { Workload } from "./workload.ts";

const INSTANCE_IDLE_MS = 30_000;
const NO_TRIGGERS: Triggers = { subjects: [], close: async () => {} };

export interface WorkloadTriggerOptions {
  readonly identity: NodeIdentity;
  readonly workloadId: string;
  readonly workload: Workload;
  readonly agent: AgentSession;
  readonly connect: (workload: Workload) => Promise<WorkloadConnection>;
  /** One more agent for the function; undefined when there is none to be had now. */
  readonly addInstance: (services: WorkloadServices) => Promise<Instance | undefined>;
  /** How long such an agent may have nothing to do. Default 30000. */
  readonly instanceIdleMs?: number | undefined;
  readonly onDone: (records: readonly TriggerRecord[]) => void;
  readonly logger: Logger;
}

/**
 * Connects for a function, subscribes its triggers and shows it to service discovery there; closing them closes the
 * connection, and ends the instances that were added, too. A native workload has none and gets no connection.
 *
 * @throws {NexError} why connecting or subscribing failed; nothing stays open
 */
export async function openWorkloadTriggers(options: WorkloadTriggerOptions): Promise<Triggers> {
  const { identity, workloadId, workload, agent, onDone, logger } = options;
  if (!isFunctionType(workload.type)) return NO_TRIGGERS;
  const connection = await options.connect(workload);
  const { services } = connection;
  agent.serve(services);
  const queue = new InvocationQueue({
    primary: agent,
    concurrency: workload.concurrency,
    addInstance: async () => options.addInstance(services),
    asksOthers: () => services.asksOthers,
    idleMs: options.instanceIdleMs ?? INSTANCE_IDLE_MS,
    logger: logger.child({ workload: workload.name, workload_id: workloadId }),
  });
  const counts = new Map(workload.triggerSubjects.map((subject) => [subject, new EndpointCounts()]));
  // Before the triggers, whose opening ends when the server knows of it, too.
  const discovery = serveDiscovery(
    connection.triggers,
    functionService(identity, workloadId, workload, counts),
  );
  try {
    const triggers = await openTriggers({
      connection: connection.triggers,
      subjects: workload.triggerSubjects,
      queueGroup: triggerQueueGroup(workload),
      invoke: queue.invoke,
      onDone: (records) => {
        for (const { outcome, pattern, durationNs } of records)
          counts.get(pattern)?.add(durationNs, outcome.kind === "failed" ? outcome.message : undefined);
        onDone(records);
      },
      onSubscriptionError: (subject, error) =>
        logger.error("Trigger subscription ended", {
          workload: workload.name,
          subject,
          error: errorText(error),
        }),
    });
    const close = async (): Promise<void> => {
      discovery[Symbol.dispose]();
      await triggers.close();
      await queue.close();
      await connection.close();
    };
    return { subjects: triggers.subjects, close };
  } catch (error) {
    discovery[Symbol.dispose]();
    await queue.close();
    await connection.close();
    throw error;
  }
}
