import type { LogLevel } from "../control-api/logs.ts";
import { encodeLogEntry } from "../control-api/logs.ts";
import { subjects } from "../control-api/subjects.ts";
import type { EventPublisher } from "./event-publisher.ts";
import { describeEnd, exitCodeOf } from "./machine.ts";
import type { MachineEnd } from "./machine.ts";
import type { Outbox } from "./outbox.ts";
import type { TriggerRecord } from "./triggers.ts";
import type { Workload } from "./workload.ts";

/** Most lines of one log entry. */
const MAX_LINES = 100;

/** What a workload wrote: a line, or several. */
export interface WorkloadLogLine {
  readonly level: LogLevel;
  readonly text: string;
}

/** Tells the outside what happens to workloads: events (protocol.md 3.2) and logs (3.3). */
export interface WorkloadReporter {
  deployed(id: string, workload: Workload): void;
  undeployed(id: string, workload: Workload, end: MachineEnd): void;
  /** What is called with the invocations of a function, those of a moment together. */
  invocations(id: string, workload: Workload): (records: readonly TriggerRecord[]) => void;
  /**
   * Lines that NATS does not take now are dropped, and the log says how many. The promise resolves once there is room
   * again; undefined when there is.
   */
  log(id: string, workload: Workload, line: WorkloadLogLine): Promise<void> | undefined;
}

export function createWorkloadReporter(options: {
  readonly outbox: Outbox;
  readonly nodeId: string;
  readonly events: EventPublisher;
}): WorkloadReporter {
  const { outbox, nodeId, events } = options;
  /** Dropped lines by workload id, until its log has said so. */
  const dropped = new Map<string, number>();
  let last: { readonly id: string; readonly workload: Workload; readonly subject: string } | undefined;
  const subjectOf = (id: string, workload: Workload): string => {
    if (last?.id !== id || last.workload !== workload) {
      const { namespace, name } = workload;
      const subject = subjects.workloadLog({ namespace, nodeId, workloadName: name, workloadId: id });
      last = { id, workload, subject };
    }
    return last.subject;
  };
  const send = (id: string, workload: Workload, { level, text }: WorkloadLogLine): boolean =>
    outbox.publish(subjectOf(id, workload), encodeLogEntry({ text, level, id }));
  const tellDropped = (id: string, workload: Workload): boolean => {
    const count = dropped.get(id);
    if (count === undefined) return true;
    const told = send(id, workload, { level: "WARN", text: droppedText(count) });
    if (told) dropped.delete(id);
    return told;
  };
  /** Publishes them as one entry, or counts them. */
  const sendLines = (id: string, workload: Workload, level: LogLevel, lines: readonly string[]): void => {
    if (lines.length === 0) return;
    if (tellDropped(id, workload) && send(id, workload, { level, text: lines.join("\n") })) return;
    dropped.set(id, (dropped.get(id) ?? 0) + lines.length);
  };
  const log = (
    id: string,
    workload: Workload,
    { level, text }: WorkloadLogLine,
  ): Promise<void> | undefined => {
    for (const line of linesOf(text)) sendLines(id, workload, level, [line]);
    return outbox.room();
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
      tellDropped(id, workload);
      dropped.delete(id);
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
    invocations: (id, workload) => {
      const { namespace, name } = workload;
      const origin = { namespace, workloadId: id };
      const succeeded = events.often(origin, "function_exec_succeeded");
      const failed = events.often(origin, "function_exec_failed");
      return (records) => {
        const time = new Date();
        const lines: string[] = [];
        const sendSuccesses = (): void => {
          for (let at = 0; at < lines.length; at += MAX_LINES)
            sendLines(id, workload, "DEBUG", lines.slice(at, at + MAX_LINES));
          lines.length = 0;
        };
        for (const { pattern: trigger_subject, outcome } of records) {
          if (outcome.kind === "succeeded") {
            const { runtimeNs: elapsed_nanos } = outcome;
            succeeded({ workload_name: name, trigger_subject, namespace, elapsed_nanos }, time);
            lines.push(`Function ${name} execution succeeded (${elapsed_nanos}ns)`);
          } else {
            sendSuccesses();
            failed({ workload_name: name, trigger_subject, namespace, error: outcome.message }, time);
            void log(id, workload, { level: "ERROR", text: `Function execution failed: ${outcome.message}` });
          }
        }
        sendSuccesses();
      };
    },
  };
}

/** A text without line ends as it is; else its lines, a last line feed ends one. */
function linesOf(text: string): readonly string[] {
  if (!text.includes("\n")) return [text];
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function droppedText(count: number): string {
  return `… ${count} ${count === 1 ? "line" : "lines"} dropped`;
}
