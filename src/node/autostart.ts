/**
 * Workloads that start with the node (protocol.md 9.7, 14.2): deployed one after the other, in the order of the
 * configuration, signed by a key that exists in this process only. Nobody else can stop them: they end with the node.
 */
import { createDeployment } from "../control-api/deploy-order.ts";
import type { DeployOrder } from "../control-api/deploy-order.ts";
import { createSigningKey } from "../control-api/keys.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { readOwnDeploy } from "./deploy-checks.ts";
import type { NodeState } from "./node-state.ts";
import type { Workload } from "./workload.ts";

/** Added to the handshake timeout: how long an entry waits for a warm agent. */
const POOL_WAIT_MS = 5000;

export interface AutostartOptions {
  readonly node: NodeState;
  /** Deploys and gives the workload's id. */
  readonly deploy: (workload: Workload, poolWaitMs: number) => Promise<string>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What became of the entries. */
export interface AutostartResult {
  readonly expected: number;
  readonly started: number;
}

/** Deploys all entries; what fails is logged and skipped. Never rejects; lame duck mode and `signal` end it early. */
export async function startAutostartWorkloads(options: AutostartOptions): Promise<AutostartResult> {
  const { node, logger, signal } = options;
  const entries = node.configuration.autostart?.workloads ?? [];
  const issuer = createSigningKey("account");
  let started = 0;
  for (const entry of entries) {
    if (signal.aborted || node.isLameDuck) break;
    const about = { namespace: entry.namespace, workload: entry.name };
    try {
      const id = await startEntry(options, entry, issuer);
      started += 1;
      logger.info("Started a workload with the node", { ...about, workload_id: id });
    } catch (error) {
      logger.error("Cannot start a workload with the node", { ...about, error: errorText(error) });
    }
  }
  const result = { expected: entries.length, started };
  if (started < entries.length) logger.warn("Not all startup workloads suceeded", result);
  return result;
}

type AutostartEntry = NonNullable<NodeConfiguration["autostart"]>["workloads"][number];

async function startEntry(
  { node, deploy }: AutostartOptions,
  entry: AutostartEntry,
  issuer: DeployOrder["issuer"],
): Promise<string> {
  const { key, xkey } = node.identity;
  const { request } = await createDeployment(
    {
      nodeId: key.publicKey,
      workloadName: entry.name,
      workloadType: entry.type,
      location: entry.location,
      jsDomain: entry.jsdomain,
      issuer,
      publisher: xkey,
      environment: entry.environment,
      description: entry.description,
      arguments: entry.argv,
      // The agent refuses the flag for functions; there it has no effect (protocol.md 9.7).
      essential: entry.essential && entry.type === "native",
      triggerSubjects: entry.trigger_subjects,
      fresh: entry.fresh,
      ...(entry.concurrency === undefined ? {} : { concurrency: entry.concurrency }),
    },
    async () => xkey.publicKey,
  );
  const workload = readOwnDeploy(node, entry.namespace, request);
  return deploy(workload, node.configuration.agent_handshake_timeout_ms + POOL_WAIT_MS);
}
