import type { AgentDeployRequest } from "../agent-api/agent-deploy.ts";
import { fetchArtifact } from "../agent-api/artifact.ts";
import type { BlockingCalls } from "../agent-api/blocking-calls.ts";
import type { Link } from "../agent-api/link.ts";
import { nativeArtifactRefusal } from "../agent-api/native-artifact.ts";
import { NexError, errorText } from "../lib/errors.ts";
import { startFunctionWorkload } from "./function-workload.ts";
import { createHostServices } from "./host-services-client.ts";
import { startNativeWorkload } from "./native-workload.ts";
import type { RunningWorkload, WorkloadLog } from "./workload.ts";

export interface StartWorkloadOptions {
  readonly request: AgentDeployRequest;
  readonly id: string;
  readonly link: Link;
  /** Undefined where the agent has no channel for them. */
  readonly blockingCalls: BlockingCalls | undefined;
  readonly directory: string;
  readonly sandboxed: boolean;
  readonly log: WorkloadLog;
  readonly onFatal: (reason: string) => void;
}

/**
 * Fetches the artifact and starts it as its type asks for.
 *
 * @throws {NexError} `WORKLOAD_REFUSED` with a text of protocol.md 5.4; nothing is left behind
 */
export async function startWorkload(options: StartWorkloadOptions): Promise<RunningWorkload> {
  const { request, id, link } = options;
  const { workload_type: type, total_bytes: totalBytes, hash } = request;
  if (type === "oci") throw refused(`${NO_PROVIDER}; oci execution provider not yet implemented`);
  if (type !== "native" && type !== "v8" && type !== "wasm") {
    throw refused(`${NO_PROVIDER}; invalid execution provider specified`);
  }
  const artifact = await orRefused(
    "Failed to get and write workload artifact to temp dir",
    fetchArtifact(link, id, { totalBytes, hash }),
  );
  if (type === "native") {
    const refusal = nativeArtifactRefusal(artifact, options);
    if (refusal !== undefined) throw refused(refusal);
    return orRefused(
      "Failed to start workload",
      startNativeWorkload({
        workloadId: id,
        directory: options.directory,
        artifact,
        argv: request.argv,
        environment: request.environment,
        sandboxed: options.sandboxed,
        log: options.log,
      }),
    );
  }
  return orRefused(
    "Failed to validate workload",
    startFunctionWorkload({
      type,
      name: request.workload_name,
      artifact,
      environment: request.environment,
      limits: request.function_limits,
      fresh: request.fresh,
      hostServices: createHostServices(options, {
        id,
        namespace: request.namespace,
        workloadName: request.workload_name,
      }),
      log: options.log,
      onFatal: options.onFatal,
    }),
  );
}

const NO_PROVIDER = "Failed to initialize workload execution provider";

async function orRefused<T>(prefix: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw refused(`${prefix}: ${errorText(cause)}`, cause);
  }
}

function refused(message: string, cause?: unknown): NexError {
  return new NexError({ code: "WORKLOAD_REFUSED", message, cause });
}
