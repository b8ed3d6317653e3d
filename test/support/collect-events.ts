import type { CloudEvent } from "../../src/control-api/events.ts";
import { parseEvent } from "../../src/control-api/events.ts";
import type { NatsConnection } from "@nats-io/transport-node";

/** Events of all namespaces as they arrive. */
export async function collectEvents(connection: NatsConnection): Promise<CloudEvent[]> {
  const events: CloudEvent[] = [];
  connection.subscribe("$NEX.events.>", {
    callback: (error, message) => {
      if (error === null) events.push(parseEvent(message.data));
    },
  });
  await connection.flush();
  return events;
}

/** Lines of workload logs as they arrive. */
export async function collectLogs(connection: NatsConnection): Promise<CollectedLog[]> {
  const lines: CollectedLog[] = [];
  connection.subscribe("$NEX.logs.>", {
    callback: (error, message) => {
      if (error === null)
        lines.push({ subject: message.subject, ...message.json<Omit<CollectedLog, "subject">>() });
    },
  });
  await connection.flush();
  return lines;
}

export interface CollectedLog {
  readonly subject: string;
  readonly text: string;
  readonly level: string;
  readonly id: string;
}
