/**
 * One machine: a sandbox with its agent, from warming up to its end. It carries at most one workload in its life.
 *
 *   warming ──► idle ──► deploying ──► running ──► stopping ──► ended
 *      │          │ ▲        │  │                     ▲
 *      │          │ └────────┘  └─────────────────────┤   (back to idle: the deploy failed before the agent saw it)
 *      │          ├───────────► assisting ───────────►┤   (one more agent for a function that runs on another machine)
 *      └──────────┴─────────────────────────────────►─┘
 *
 * W1 a machine moves only along these lines; anything else is a defect and throws
 * W2 the reason of the end is recorded once, when it starts to stop, and never changes
 * W3 live things (agent, triggers) hang on the states in which they live
 */
import { NexError } from "../lib/errors.ts";
import type { AgentSession } from "./agent-session.ts";
import type { Triggers } from "./triggers.ts";
import type { Workload } from "./workload.ts";

/** Why a machine ended. */
export type MachineEnd =
  | { readonly kind: "stop-requested" }
  | { readonly kind: "exited"; readonly code: number; readonly message: string }
  | { readonly kind: "start-failed"; readonly message: string }
  | { readonly kind: "deploy-failed"; readonly message: string }
  | { readonly kind: "agent-lost"; readonly message: string }
  | { readonly kind: "not-needed" }
  | { readonly kind: "node-shutdown" };

/** A workload that an agent has accepted or is asked to accept. */
export interface DeployedWorkload {
  readonly workload: Workload;
  /** Size of the artifact in bytes; counted from the moment it is known. */
  readonly bytes: number;
  /** Hex SHA-256 of the artifact; empty until it is fetched. */
  readonly hash: string;
  readonly usage: WorkloadUsage;
}

/** What a function has used so far; counted up in place. */
export interface WorkloadUsage {
  /** Accumulated execution time in nanoseconds. */
  runtimeNs: number;
}

/** A workload that runs, by the id of the machine that it was deployed to. */
export interface WorkloadOwner {
  readonly id: string;
  readonly workload: Workload;
}

export type MachineState =
  | { readonly kind: "warming" }
  | { readonly kind: "idle"; readonly agent: AgentSession }
  | ({ readonly kind: "deploying"; readonly agent: AgentSession } & DeployedWorkload)
  | ({
      readonly kind: "running";
      readonly agent: AgentSession;
      readonly since: Date;
      readonly triggers: Triggers;
    } & DeployedWorkload)
  | { readonly kind: "assisting"; readonly agent: AgentSession; readonly owner: WorkloadOwner }
  | {
      readonly kind: "stopping";
      readonly reason: MachineEnd;
      /** Whose the last log lines are; undefined when the machine never got as far as running a workload. */
      readonly owner: WorkloadOwner | undefined;
    }
  | { readonly kind: "ended"; readonly reason: MachineEnd };

const NEXT: Readonly<Record<MachineState["kind"], readonly MachineState["kind"][]>> = {
  warming: ["idle", "stopping"],
  idle: ["deploying", "assisting", "stopping"],
  deploying: ["deploying", "running", "idle", "stopping"],
  running: ["stopping"],
  assisting: ["stopping"],
  stopping: ["ended"],
  ended: [],
};

export class Machine {
  readonly id: string;
  #state: MachineState = { kind: "warming" };
  readonly #ended = Promise.withResolvers<MachineEnd>();

  constructor(id: string) {
    this.id = id;
  }

  get state(): MachineState {
    return this.#state;
  }

  /** Resolves with the recorded reason once the machine has ended. */
  get ended(): Promise<MachineEnd> {
    return this.#ended.promise;
  }

  /** Moves to the next state (W1). */
  become(next: MachineState): void {
    if (!NEXT[this.#state.kind].includes(next.kind)) {
      throw new NexError({
        code: "INTERNAL",
        message: `Cannot move machine "${this.id}" from "${this.#state.kind}" to "${next.kind}"`,
      });
    }
    this.#state = next;
    if (next.kind === "ended") this.#ended.resolve(next.reason);
  }
}

/** The workload that a machine works for, if any. */
export function ownerOf({ id, state }: Machine): WorkloadOwner | undefined {
  switch (state.kind) {
    case "deploying":
    case "running":
      return { id, workload: state.workload };
    case "assisting":
    case "stopping":
      return state.owner;
    case "warming":
    case "idle":
    case "ended":
      return undefined;
  }
}

/** One line for logs and events that says why a machine ended. */
export function describeEnd(end: MachineEnd): string {
  switch (end.kind) {
    case "stop-requested":
      return "Workload shutdown requested";
    case "node-shutdown":
      return "Node shutdown";
    case "not-needed":
      return "No longer needed";
    case "exited":
    case "start-failed":
    case "deploy-failed":
    case "agent-lost":
      return end.message;
  }
}

/** The exit code that `workload_undeployed` reports: the process's own, 0 for a wanted end, -1 for a crash. */
export function exitCodeOf(end: MachineEnd): number {
  switch (end.kind) {
    case "exited":
      return end.code;
    case "stop-requested":
    case "node-shutdown":
    case "not-needed":
      return 0;
    case "start-failed":
    case "deploy-failed":
    case "agent-lost":
      return -1;
  }
}
