import type { DeployedFile, DeployStep } from "./deploy-file.ts";
import type { KeptKey } from "../../lib/key-file.ts";

/** What `nex devrun` prints about a step (protocol section 10.4); no lines for most. */
export function stepLines(step: DeployStep): string[] {
  switch (step.kind) {
    case "keys":
      return [
        `${keyVerb(step.keys.issuer)} issuer account key: ${step.keys.issuer.path}`,
        `${keyVerb(step.keys.publisher)} publisher xkey: ${step.keys.publisher.path}`,
      ];
    case "stopping-older":
      return [`Workload ${step.name} (${step.id}) already exists on the target. Attempting to stop it`];
    case "stopping-replaced":
      return [`Stopping the older copy (${step.id})`];
    case "inspected":
    case "built":
    case "types-checked":
    case "node-chosen":
    case "uploading":
    case "uploaded":
      return [];
  }
}

/** The line of success (protocol section 10.3), and what isolates the workload where the node tells it. */
export function acceptedLines({
  name,
  workloadId,
  nodeId,
  isolation,
}: Pick<DeployedFile, "name" | "workloadId" | "nodeId" | "isolation">): string[] {
  const accepted = `🚀 Workload '${name}' accepted. You can now refer to this workload with ID: ${workloadId} on node ${nodeId}`;
  return isolation === undefined ? [accepted] : [accepted, `Isolation: ${isolation}`];
}

function keyVerb({ created }: KeptKey<unknown>): string {
  return created ? "Wrote new" : "Reusing existing";
}
