import type { NatsConnection } from "@nats-io/transport-node";
import type { LogLevel } from "../control-api/logs.ts";
import { encodeLogEntry } from "../control-api/logs.ts";
import { subjects } from "../control-api/subjects.ts";
import type { EventPublisher } from "./event-publisher.ts";
import { describeEnd, exitCodeOf } from "./machine.ts";
import type { MachineEnd } from "./machine.ts";
import type { TriggerRecord } from "./triggers.ts";
import type { Workload } from "./workload.ts";

/** A line of a workload's log. */
export interface WorkloadLogLine {
  readonly level: LogLevel;
  readonly text: string;
}

/** Tells the outside what happens to workloads: events (protocol.md 3.2) and logs (3.3). */
export interface WorkloadReporter {
  deployed(id: string, workload: Workload): void;
  undeployed(id: string, workload: Workload, end: MachineEnd): void;
  triggered(id: string, workload: Workload, record: TriggerRecord): void;
  log(id: string, workload: Workload, line: WorkloadLogLine): void;
}

export function createWorkloadReporter(options: {
  readonly connection: NatsConnection;
  readonly nodeId: string;
  readonly events: EventPublisher;
}): WorkloadReporter {
  const { connection, nodeId, events } = options;
  const log = (id: string, { namespace, name }: Workload, { level, text }: WorkloadLogLine): void => {
    if (connection.isClosed()) return;
    const subject = subjects.workloadLog({ namespace, nodeId, workloadName: name, workloadId: id });
    connection.publish(subject, encodeLogEntry({ text, level, id }));
  };
  return {
    log,
    deployed: (id, workload) => {
      events.workload({ namespace: workload.namespace, workloadId: id }, "workload_deployed", {
        workload_name: workload.name,
        code: 0,
      });
    },
    undeployed: (id, workload, end) => {
      const code = exitCodeOf(end);
      const ended =
        end.kind === "exited" ? `Exited workload: ${workload.name}; vm: ${id}; status: ${code}` : undefined;
      events.workload({ namespace: workload.namespace, workloadId: id }, "workload_undeployed", {
        workload_name: workload.name,
        code,
        message: ended ?? describeEnd(end),
        name: workload.name,
        reason: describeEnd(end),
        vmid: id,
      });
    },
    triggered: (id, workload, { pattern, outcome }) => {
      const origin = { namespace: workload.namespace, workloadId: id };
      const common = {
        workload_name: workload.name,
        trigger_subject: pattern,
        namespace: workload.namespace,
      };
      if (outcome.kind === "succeeded") {
        events.workload(origin, "function_exec_succeeded", { ...common, elapsed_nanos: outcome.runtimeNs });
        const text = `Function ${workload.name} execution succeeded (${outcome.runtimeNs}ns)`;
        log(id, workload, { level: "DEBUG", text });
        return;
      }
      events.workload(origin, "function_exec_failed", { ...common, error: outcome.message });
      log(id, workload, { level: "ERROR", text: `Function execution failed: ${outcome.message}` });
    },
  };
}
