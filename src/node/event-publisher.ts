import type { NatsConnection } from "@nats-io/transport-node";
import type { EventData, EventType } from "../control-api/event-types.ts";
import { createEvent, encodeEvent } from "../control-api/events.ts";
import { SYSTEM_NAMESPACE, subjects } from "../control-api/subjects.ts";

/** Publishes CloudEvents on the control connection (protocol.md 3.1). Never throws; a closed connection drops them. */
export interface EventPublisher {
  /** An event of the node itself, in the namespace `system`. */
  node<Type extends EventType>(type: Type, data: EventData<Type>): void;
  /** An event of one workload, in its namespace. */
  workload<Type extends EventType>(origin: EventOrigin, type: Type, data: EventData<Type>): void;
}

/** Where a workload's event comes from. */
export interface EventOrigin {
  readonly namespace: string;
  readonly workloadId: string;
}

export function createEventPublisher(connection: NatsConnection, nodeId: string): EventPublisher {
  const publish = (namespace: string, type: string, payload: Uint8Array): void => {
    if (!connection.isClosed()) connection.publish(subjects.event(namespace, type), payload);
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
  };
}
