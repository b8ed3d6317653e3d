import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { AgentNotice, AgentSession, AgentSessionOptions } from "./agent-session.ts";
import type { Machine, MachineEnd } from "./machine.ts";
import type { NodeState } from "./node-state.ts";
import { WarmPool } from "./warm-pool.ts";

/** Starts one agent in a new sandbox; resolves once it is handshaken. Rejects with nothing left behind. */
export type StartAgent = (
  id: string,
  options: {
    readonly signal: AbortSignal;
    readonly onNotice: AgentSessionOptions["onNotice"];
  },
) => Promise<AgentSession>;

export interface MachinePoolOptions {
  readonly node: NodeState;
  readonly startAgent: StartAgent;
  readonly createId: () => string;
  readonly onNotice: (machine: Machine, notice: AgentNotice) => Promise<void> | undefined;
  /** The agent of a machine can no longer be relied on, warm or used. */
  readonly onLost: (machine: Machine, message: string) => void;
  /** A warm machine is one too many. */
  readonly onSurplus: (machine: Machine) => void;
  readonly logger: Logger;
}

/** The machines of a node: warms them up, and knows the agents of all that have not ended. */
export class MachinePool extends WarmPool<Machine> {
  readonly #agents: Set<AgentSession>;

  constructor(options: MachinePoolOptions) {
    const agents = new Set<AgentSession>();
    super({
      size: options.node.configuration.machine_pool_size,
      start: async (signal) => warmUp(options, agents, signal),
      onSurplus: options.onSurplus,
      logger: options.logger,
    });
    this.#agents = agents;
  }

  /** Kills all sandboxes at once, whatever they are doing. */
  async kill(): Promise<void> {
    await Promise.allSettled([...this.#agents].map(async (agent) => agent.stop(0)));
  }
}

async function warmUp(
  { node, startAgent, createId, onNotice, onLost, logger }: MachinePoolOptions,
  agents: Set<AgentSession>,
  signal: AbortSignal,
): Promise<Machine> {
  const machine = node.machines.add(createId());
  let agent: AgentSession;
  try {
    agent = await startAgent(machine.id, { signal, onNotice: (notice) => onNotice(machine, notice) });
  } catch (error) {
    const reason: MachineEnd = { kind: "agent-lost", message: errorText(error) };
    machine.become({ kind: "stopping", reason, owner: undefined });
    machine.become({ kind: "ended", reason });
    throw error;
  }
  machine.become({ kind: "idle", agent });
  agents.add(agent);
  void machine.ended.then(() => agents.delete(agent));
  void agent.lost.then((message) => onLost(machine, message));
  if (node.configuration.no_sandbox) {
    logger.info("Adding new agent process to warm pool", { workload_id: machine.id });
  } else logger.info("Adding new VM to warm pool", { vmid: machine.id });
  return machine;
}
