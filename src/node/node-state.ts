import type { NodeConfiguration } from "./configuration.ts";
import { MachineRegistry } from "./machine-registry.ts";
import type { NodeIdentity } from "./node-identity.ts";

/** The refusal of a node that {@link NodeState.isFull}. */
export const NODE_FULL = "Node is at maximum workload limit. Deploy request denied";

/** What the handlers of the control API know of the node and its workloads. */
export class NodeState {
  readonly identity: NodeIdentity;
  readonly configuration: NodeConfiguration;
  readonly machines: MachineRegistry = new MachineRegistry();
  #lameDuck = false;
  #pendingDeploys = 0;

  constructor(identity: NodeIdentity, configuration: NodeConfiguration) {
    this.identity = identity;
    this.configuration = configuration;
  }

  get isLameDuck(): boolean {
    return this.#lameDuck;
  }

  /** Refuses deploys from now on. False when the node was in lame duck mode already. */
  enterLameDuck(): boolean {
    const entered = !this.#lameDuck;
    this.#lameDuck = true;
    return entered;
  }

  /** All tags, `nex.lameduck` included. */
  tags(): Readonly<Record<string, string>> {
    return this.#lameDuck ? { ...this.identity.tags, "nex.lameduck": "true" } : this.identity.tags;
  }

  /** Whether `node_limits.max_workloads` is reached; deploys under way count. */
  isFull(): boolean {
    const limit = this.configuration.node_limits.max_workloads;
    return limit > 0 && this.machines.occupied().length + this.#pendingDeploys >= limit;
  }

  /** Whether no workload runs or is about to. */
  isIdle(): boolean {
    return this.#pendingDeploys === 0 && this.machines.occupied().length === 0;
  }

  /** Counts a deploy that waits for an agent, until disposed. */
  countPendingDeploy(): Disposable {
    this.#pendingDeploys += 1;
    return {
      [Symbol.dispose]: () => {
        this.#pendingDeploys -= 1;
      },
    };
  }
}
