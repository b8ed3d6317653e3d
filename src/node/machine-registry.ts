import { Machine } from "./machine.ts";
import type { MachineState } from "./machine.ts";

/** A machine that carries a workload, with the state that says so. */
export interface OccupiedMachine {
  readonly machine: Machine;
  readonly state: Extract<MachineState, { kind: "deploying" | "running" }>;
}

/** All machines of a node that have not ended, by id. */
export class MachineRegistry {
  readonly #machines = new Map<string, Machine>();

  /** Registers a new machine; it leaves the registry by itself when it has ended. */
  add(id: string): Machine {
    const machine = new Machine(id);
    this.#machines.set(id, machine);
    void machine.ended.then(() => this.#machines.delete(id));
    return machine;
  }

  get(id: string): Machine | undefined {
    return this.#machines.get(id);
  }

  all(): Machine[] {
    return [...this.#machines.values()];
  }

  count(...kinds: readonly MachineState["kind"][]): number {
    return this.all().filter((machine) => kinds.includes(machine.state.kind)).length;
  }

  /** Machines that carry a workload (deploying or running), of one namespace or of all. Namespaces ignore case. */
  occupied(namespace?: string): OccupiedMachine[] {
    return this.all().flatMap((machine) => {
      const { state } = machine;
      if (state.kind !== "deploying" && state.kind !== "running") return [];
      return namespace === undefined || equalsIgnoringCase(state.workload.namespace, namespace)
        ? [{ machine, state }]
        : [];
    });
  }

  /** How many machines run the workload `id`: its own, and those that assist it. */
  instancesOf(id: string): number {
    const runs = ({ id: own, state }: Machine): boolean =>
      own === id ? state.kind === "running" : state.kind === "assisting" && state.owner.id === id;
    return this.all().filter(runs).length;
  }

  /** Bytes of the artifacts of all workloads, pending ones included. */
  occupiedBytes(): number {
    return this.occupied().reduce((sum, { state }) => sum + state.bytes, 0);
  }
}

/** Compares names as the control API does where it ignores case. */
export function equalsIgnoringCase(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
