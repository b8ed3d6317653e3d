import type { WorkloadServices } from "../host-services/host/host-services.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { requireState } from "./deploy-steps.ts";
import type { Instance } from "./invocation-queue.ts";
import type { DeployedWorkload, Machine, MachineEnd } from "./machine.ts";

export interface InstanceOptions {
  /** Takes an idle machine from the pool; undefined when it has none. */
  readonly takeIdle: () => Machine | undefined;
  /** Id of the workload. */
  readonly id: string;
  readonly deployed: DeployedWorkload;
  readonly artifact: Uint8Array;
  /** What the workload may call, whichever of its agents it is. */
  readonly services: WorkloadServices;
  /** Ends a machine. Never rejects. */
  readonly end: (machine: Machine, reason: MachineEnd) => Promise<void>;
  readonly logger: Logger;
}

/**
 * One more agent for a function that runs already. It is no workload of its own: not listed, not counted, and its end
 * is not announced.
 *
 * @throws {NexError} `AGENT_REFUSED` or `DEPLOY_FAILED`; the machine has ended then
 */
export async function startInstance(options: InstanceOptions): Promise<Instance | undefined> {
  const { id, deployed, artifact, services, takeIdle, end, logger } = options;
  const machine = takeIdle();
  if (machine?.state.kind !== "idle") return undefined;
  const { agent } = machine.state;
  machine.become({ kind: "assisting", agent, owner: { id, workload: deployed.workload } });
  try {
    agent.serve(services);
    await agent.deploy(deployed, artifact);
    requireState(machine, "assisting");
  } catch (error) {
    await end(machine, { kind: "deploy-failed", message: errorText(error) });
    throw error;
  }
  logger.info("Added an instance of a function", { workload_id: id, machine_id: machine.id });
  return {
    runner: agent,
    ended: machine.ended,
    end: async () => end(machine, { kind: "not-needed" }),
  };
}
