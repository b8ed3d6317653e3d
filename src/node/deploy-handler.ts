import { encodeDeployReply } from "../control-api/deploy.ts";
import { encodeFailure } from "../control-api/envelope.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { OpenedArtifact } from "./artifact-source.ts";
import { checkDeploy } from "./deploy-checks.ts";
import type { NodeState } from "./node-state.ts";
import type { WorkloadManager } from "./workload-manager.ts";
import type { ArtifactLocation } from "./workload.ts";

export interface DeployHandlerOptions {
  readonly node: NodeState;
  readonly workloads: WorkloadManager;
  readonly openArtifact: (location: ArtifactLocation) => Promise<OpenedArtifact>;
  readonly logger: Logger;
}

/** Answers DEPLOY: the checks of protocol.md 2.7 in their order, then the deploy itself. */
export async function answerDeploy(
  options: DeployHandlerOptions,
  namespace: string,
  body: Uint8Array,
): Promise<Uint8Array> {
  try {
    const workload = checkDeploy(options.node, namespace, body);
    const id = await options.workloads.deploy(workload, async () => options.openArtifact(workload.artifact));
    const { isolation } = options.node.identity;
    return encodeDeployReply({
      started: true,
      id,
      issuer: workload.claims.issuer,
      name: workload.name,
      isolation,
    });
  } catch (error) {
    const reason = errorText(error);
    options.logger.warn("Refused a deploy request", { namespace, reason });
    return encodeFailure("deploy", reason);
  }
}
