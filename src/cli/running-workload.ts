import type { WorkloadPingReply } from "../control-api/index.ts";
import { nodeName } from "./node-name.ts";

/** A workload and the node that runs it. */
export interface RunningWorkload {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly namespace: string;
  readonly nodeId: string;
  readonly nodeName: string;
}

/** The workloads of the nodes that answered, sorted by name, node and id. */
export function runningWorkloads(replies: readonly WorkloadPingReply[]): RunningWorkload[] {
  return replies
    .flatMap(({ node_id: nodeId, tags, running_machines }) =>
      running_machines.map(({ id, name, type, namespace }) => {
        return { id, name, type, namespace, nodeId, nodeName: nodeName(tags) };
      }),
    )
    .sort(byNameNodeAndId);
}

/** Shorter beginnings of an id mean nothing: ids that were made at about the same time begin alike. */
const SHORTEST_BEGINNING = 4;

/**
 * The workloads that `text` means: the one of that id, otherwise all of that name in any case, otherwise those whose id
 * begins so.
 */
export function matchWorkloads(workloads: readonly RunningWorkload[], text: string): RunningWorkload[] {
  const lower = text.toLowerCase();
  const matchers: readonly ((workload: RunningWorkload) => boolean)[] = [
    ({ id }) => id === text,
    ({ name }) => name.toLowerCase() === lower,
    ({ id }) => text.length >= SHORTEST_BEGINNING && id.startsWith(lower),
  ];
  for (const matches of matchers) {
    const found = workloads.filter(matches);
    if (found.length > 0) return found;
  }
  return [];
}

function byNameNodeAndId(a: RunningWorkload, b: RunningWorkload): number {
  return compare(a.name, b.name) || compare(a.nodeName, b.nodeName) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
