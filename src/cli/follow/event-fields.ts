import { knownEvent } from "../../control-api/index.ts";
import type { CloudEvent, EventType, WatchedEvent } from "../../control-api/index.ts";
import { NexError } from "../../lib/errors.ts";

/** Which fields of its data the line of an event shows, by type. */
const FIELDS: Readonly<Record<EventType, readonly string[]>> = {
  agent_started: ["agent_version"],
  agent_stopped: ["message", "code"],
  function_exec_failed: ["workload_name", "trigger_subject", "error"],
  function_exec_succeeded: ["workload_name", "trigger_subject", "elapsed_nanos"],
  heartbeat: ["nexus", "version", "uptime", "running_machines"],
  node_entered_lameduck: ["version"],
  node_started: ["version"],
  node_stopped: ["graceful"],
  workload_deployed: ["workload_name", "total_bytes", "message"],
  workload_undeployed: ["workload_name", "code", "message"],
};

const NODE_ID_LENGTH = 56;

/**
 * What the line of an event says besides its time (protocol section 10.9): namespace, type, the node and workload it came
 * from, and what is particular to the type. Of an unknown type all data is shown.
 */
export function eventFields({ namespace, event }: WatchedEvent): Readonly<Record<string, unknown>> {
  const { node, workloadId } = sourceParts(event.source);
  return {
    namespace,
    event_type: event.type,
    node,
    ...(workloadId === undefined ? {} : { vmid: workloadId }),
    ...particulars(event),
  };
}

/** A node id, the middle of its 56 characters left out: 11 leading and 11 trailing ones stay. */
export function shortNodeId(nodeId: string): string {
  return nodeId.length === NODE_ID_LENGTH ? `${nodeId.slice(0, 11)}...${nodeId.slice(-11)}` : nodeId;
}

/** A source is `{node}`, or `{node}-{workload id}`. */
function sourceParts(source: string): { readonly node: string; readonly workloadId?: string } {
  const dash = source.indexOf("-");
  if (dash !== NODE_ID_LENGTH) return { node: shortNodeId(source) };
  return { node: shortNodeId(source.slice(0, dash)), workloadId: source.slice(dash + 1) };
}

function particulars(event: CloudEvent): Readonly<Record<string, unknown>> {
  const known = knownOrUndefined(event);
  if (known === undefined) return event.data;
  const data: Readonly<Record<string, unknown>> = known.data;
  return Object.fromEntries(FIELDS[known.type].map((name) => [name, data[name]]));
}

/** An event whose data does not fit its type is shown like one of an unknown type. */
function knownOrUndefined(event: CloudEvent): ReturnType<typeof knownEvent> {
  try {
    return knownEvent(event);
  } catch (error) {
    if (error instanceof NexError) return undefined;
    throw error;
  }
}
