import type { EventData, EventType } from "../control-api/event-types.ts";
import { createEvent, createEventWriter, encodeEvent } from "../control-api/events.ts";
import { SYSTEM_NAMESPACE, subjects } from "../control-api/subjects.ts";
import type { Outbox } from "./outbox.ts";

/** Publishes CloudEvents on the control connection (protocol.md 3.1). Never throws; while NATS is gone frequent ones are dropped. */
export interface EventPublisher {
  /** An event of the node itself, in the namespace `system`. */
  node<Type extends EventType>(type: Type, data: EventData<Type>): void;
  /** An event of one workload, in its namespace. */
  workload<Type extends EventType>(origin: EventOrigin, type: Type, data: EventData<Type>): void;
  /** The same for events that come often: publishes one each time it is called. */
  often<Type extends EventType>(origin: EventOrigin, type: Type): (data: EventData<Type>, time: Date) => void;
}

/** Where a workload's event comes from. */
export interface EventOrigin {
  readonly namespace: string;
  readonly workloadId: string;
}

export function createEventPublisher(outbox: Outbox, nodeId: string): EventPublisher {
  const publish = (namespace: string, type: string, payload: Uint8Array): void => {
    // The next heartbeat says as much.
    outbox.publish(subjects.event(namespace, type), payload, { essential: type !== "heartbeat" });
  };
  return {
    node: (type, data) => {
      publish(
        SYSTEM_NAMESPACE,
        type,
        encodeEvent(createEvent({ type, source: nodeId, data: data as never })),
      );
    },
    workload: ({ namespace, workloadId }, type, data) => {
      const source = `${nodeId}-${workloadId}`;
      publish(namespace, type, encodeEvent(createEvent({ type, source, namespace, data: data as never })));
    },
    often: ({ namespace, workloadId }, type) => {
      const write = createEventWriter({ type, source: `${nodeId}-${workloadId}`, namespace });
      const subject = subjects.event(namespace, type);
      return (data, time) => void outbox.publish(subject, write(data, time));
    },
  };
}
