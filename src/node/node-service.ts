import { nodeSubscriptions } from "../control-api/subjects.ts";
import type { EndpointCounts } from "./endpoint-counts.ts";
import type { NodeIdentity } from "./node-identity.ts";
import { discoveryName } from "./service-discovery.ts";
import type { Service } from "./service-discovery.ts";
import type { Workload } from "./workload.ts";

/** The control API of a node as a service; `counts` by subscribed subject. */
export function nodeService(
  { key, version, nexus, startedAt, tags }: NodeIdentity,
  counts: ReadonlyMap<string, EndpointCounts>,
): Service {
  const node = key.publicKey;
  return {
    name: "nex-node",
    id: node,
    version,
    description: "Control API of a Nex node",
    metadata: { node, nexus, ...(tags["node_name"] === undefined ? {} : { node_name: tags["node_name"] }) },
    startedAt,
    endpoints: Object.entries(nodeSubscriptions(node)).flatMap(([name, subject]) => {
      const counted = counts.get(subject);
      return counted === undefined ? [] : [{ name, subject, queueGroup: "", counts: counted }];
    }),
  };
}

/** A deployed function as a service of its own; `counts` by trigger subject. */
export function functionService(
  { key, version }: NodeIdentity,
  workloadId: string,
  workload: Workload,
  counts: ReadonlyMap<string, EndpointCounts>,
): Service {
  return {
    name: discoveryName(workload.name),
    id: workloadId,
    version,
    description: workload.description,
    metadata: {
      namespace: workload.namespace,
      type: workload.type,
      node: key.publicKey,
      workload_id: workloadId,
    },
    startedAt: new Date(),
    endpoints: [...counts].map(([subject, counted]) => ({
      name: discoveryName(subject),
      subject,
      queueGroup: triggerQueueGroup(workload),
      counts: counted,
    })),
  };
}

/** Of several deploys of one function, on any node, each message runs one. */
export function triggerQueueGroup({ namespace, name }: Workload): string {
  return `${namespace}.${name}`;
}
