/**
 * Runs workloads on machines: takes a warm agent, deploys to it, wires its triggers, and takes everything down again.
 *
 * D1 a deploy that fails leaves nothing: no process, subscription, connection or listing. One whose artifact cannot be had
 *    or run takes no machine: the one that was waiting for it goes back
 * D2 every machine ends for one recorded reason, and the end of a workload that ran is published exactly once
 * D3 once `end` has resolved, everything that ran in the sandbox is gone
 * D4 a workload that ends by itself while it is being deployed was deployed, and then ended: its deploy succeeds
 * D5 the further instances of a function end with it, by its triggers: first the invocations, then what runs them
 */
import { NexError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { AgentNotice, AgentSession } from "./agent-session.ts";
import { takeArtifact } from "./artifact-intake.ts";
import type { OpenedArtifact } from "./artifact-source.ts";
import { prefixed, requireRunnable, requireState } from "./deploy-steps.ts";
import { endMachine } from "./end-machine.ts";
import type { EndedWorkload } from "./end-machine.ts";
import { startInstance } from "./instance.ts";
import { MachinePool } from "./machine-pool.ts";
import type { StartAgent } from "./machine-pool.ts";
import { ownerOf } from "./machine.ts";
import type { DeployedWorkload, Machine, MachineEnd } from "./machine.ts";
import type { NodeState } from "./node-state.ts";
import type { WorkloadConnection } from "./workload-connection.ts";
import type { WorkloadReporter } from "./workload-reporter.ts";
import { openWorkloadTriggers } from "./workload-triggers.ts";
import type { Workload } from "./workload.ts";

/** How long a deploy waits for a warm agent unless told otherwise: until another one can have started, but not for ever. */
const POOL_WAIT_MS = { least: 5000, most: 25_000 };

export interface WorkloadManagerOptions {
  readonly node: NodeState;
  readonly startAgent: StartAgent;
  readonly createId: () => string;
  /** Whether agents are in machines of their own, where nothing but a static program runs. */
  readonly sandboxed: boolean;
  readonly connectWorkload: (workload: Workload) => Promise<WorkloadConnection>;
  readonly reporter: WorkloadReporter;
  /** Called once for every workload that ran, after it was reported. */
  readonly onEnded: (ended: EndedWorkload) => void;
  /** How long an agent may take to start. Default 0. */
  readonly bootTimeMs?: number | undefined;
  /** How long a further instance of a function may have nothing to do. Default 30000. */
  readonly instanceIdleMs?: number | undefined;
  readonly logger: Logger;
}

/** How a deploy is made. */
export interface DeployOptions {
  /** How long to wait for a warm agent. Default 5000, up to 25000 where they start slowly. */
  readonly poolWaitMs?: number;
}

/** A machine taken from the pool for one deploy. */
interface Reservation {
  readonly machine: Machine;
  readonly agent: AgentSession;
}

export class WorkloadManager {
  readonly #options: WorkloadManagerOptions;
  readonly #pool: MachinePool;
  readonly #ends = new Map<string, Promise<void>>();
  /** Ends reported while the machine was still deploying (D4). */
  readonly #earlyEnds = new Map<string, MachineEnd>();
  readonly #cancelled = new AbortController();

  constructor(options: WorkloadManagerOptions) {
    this.#options = options;
    this.#pool = new MachinePool({
      ...options,
      onNotice: (machine, notice) => this.#noticed(machine, notice),
      onLost: (machine, message) => void this.end(machine, { kind: "agent-lost", message }),
      onSurplus: (machine) => void this.end(machine, { kind: "not-needed" }),
    });
  }

  get #poolWaitMs(): number {
    const { bootTimeMs = 0 } = this.#options;
    return Math.min(POOL_WAIT_MS.most, Math.max(POOL_WAIT_MS.least, bootTimeMs));
  }

  /** Fills the warm pool; resolves once one agent is ready. Rejects at once when `signal` fires before that. */
  async open(signal?: AbortSignal): Promise<void> {
    await this.#pool.open(signal);
  }

  /**
   * Takes a warm agent, fetches the artifact and runs it (D1). Resolves with the workload id once it runs and its
   * triggers are subscribed.
   *
   * @throws {NexError} with the text of protocol.md 2.7, checks 10 to 15
   */
  async deploy(
    workload: Workload,
    open: () => Promise<OpenedArtifact>,
    { poolWaitMs = this.#poolWaitMs }: DeployOptions = {},
  ): Promise<string> {
    const reservation = await this.#reserve(workload, poolWaitMs);
    const [deployed, artifact] = await this.#fetch(reservation, workload, open);
    this.#pool.keep(reservation.machine);
    await this.#run(reservation, deployed, artifact);
    return reservation.machine.id;
  }

  /** Ends a machine and everything in it (D2, D3). The first reason is the one that counts. Never rejects. */
  async end(machine: Machine, reason: MachineEnd): Promise<void> {
    const ending = this.#ends.get(machine.id) ?? this.#endOnce(machine, reason);
    this.#ends.set(machine.id, ending);
    await ending;
    this.#ends.delete(machine.id);
  }

  /** Makes deploys under way fail, those that wait for an agent among them, so that the node need not wait for them. */
  cancelDeploys(): void {
    this.#cancelled.abort(new NexError({ code: "ABORTED", message: "the node is shutting down" }));
    this.#pool.shut();
  }

  /** Ends all workloads and the pool. */
  async close(): Promise<void> {
    await this.#pool.close();
    const { machines } = this.#options.node;
    // D5. What is left then assists nobody.
    await this.#endAll(machines.all().filter(({ state }) => state.kind !== "assisting"));
    await this.#endAll(machines.all());
  }

  /** Kills all sandboxes at once, whatever they and their triggers are doing; `close` then has nothing to wait for. */
  async kill(): Promise<void> {
    this.cancelDeploys();
    await this.#pool.kill();
  }

  async #endAll(machines: readonly Machine[]): Promise<void> {
    await Promise.all(machines.map(async (machine) => this.end(machine, { kind: "node-shutdown" })));
  }

  async #reserve(workload: Workload, waitMs: number): Promise<Reservation> {
    using _pending = this.#options.node.countPendingDeploy();
    for (;;) {
      const machine = await prefixed("Failed to get agent client from pool", this.#pool.take(waitMs));
      const { state } = machine;
      // It may have ended between the pool's hand and ours.
      if (state.kind !== "idle") {
        this.#pool.remove(machine);
        continue;
      }
      machine.become({ kind: "deploying", agent: state.agent, ...undeployed(workload) });
      return { machine, agent: state.agent };
    }
  }

  async #fetch(
    { machine, agent }: Reservation,
    workload: Workload,
    open: () => Promise<OpenedArtifact>,
  ): Promise<[DeployedWorkload, Uint8Array]> {
    const { node, logger } = this.#options;
    const { bucket, key } = workload.artifact;
    let deployed = undeployed(workload);
    const update = (change: Partial<DeployedWorkload>): void => {
      requireState(machine, "deploying");
      deployed = { ...deployed, ...change };
      machine.become({ kind: "deploying", agent, ...deployed });
    };
    logger.info("Attempting object store download", { bucket, key });
    try {
      const artifact = await takeArtifact({
        node,
        workload,
        open,
        onSize: (bytes) => update({ bytes }),
        signal: this.#cancelled.signal,
      });
      update({ hash: artifact.hash });
      requireRunnable(workload, artifact.bytes, this.#options);
      return [deployed, artifact.bytes];
    } catch (error) {
      if (machine.state.kind === "deploying") {
        machine.become({ kind: "idle", agent });
        this.#pool.putBack(machine);
      }
      throw error;
    }
  }

  async #run(
    { machine, agent }: Reservation,
    deployed: DeployedWorkload,
    artifact: Uint8Array,
  ): Promise<void> {
    const { logger, reporter, connectWorkload } = this.#options;
    const { workload, bytes, hash } = deployed;
    const { namespace, name, type } = workload;
    logger.info("Submitting workload to agent", {
      namespace,
      workload: name,
      workload_size: bytes,
      workload_sha256: hash,
      type,
    });
    try {
      await prefixed("Failed to deploy workload", agent.deploy(deployed, artifact));
      const report = reporter.invocations(machine.id, workload);
      const triggers = openWorkloadTriggers({
        identity: this.#options.node.identity,
        workloadId: machine.id,
        workload,
        agent,
        connect: connectWorkload,
        addInstance: async (services) =>
          startInstance({
            id: machine.id,
            deployed,
            artifact,
            services,
            takeIdle: () => this.#pool.takeIdle(),
            end: async (ended, reason) => this.end(ended, reason),
            logger,
          }),
        instanceIdleMs: this.#options.instanceIdleMs,
        onDone: (records) => {
          for (const { outcome } of records)
            if (outcome.kind === "succeeded") deployed.usage.runtimeNs += outcome.runtimeNs;
          report(records);
        },
        logger,
      });
      await this.#becomeRunning(machine, agent, deployed, prefixed("Failed to deploy workload", triggers));
    } catch (error) {
      await this.end(machine, { kind: "deploy-failed", message: errorText(error) });
      throw error;
    }
    logger.info("Workload deployed", { workload: name, workload_id: machine.id });
    reporter.deployed(machine.id, workload);
    const ended = this.#earlyEnds.get(machine.id);
    if (ended !== undefined) void this.end(machine, ended);
  }

  async #becomeRunning(
    machine: Machine,
    agent: AgentSession,
    deployed: DeployedWorkload,
    opening: ReturnType<typeof openWorkloadTriggers>,
  ): Promise<void> {
    const triggers = await opening;
    try {
      requireState(machine, "deploying");
    } catch (error) {
      await triggers.close();
      throw error;
    }
    machine.become({ kind: "running", agent, since: new Date(), triggers, ...deployed });
  }

  /** The promise resolves once there is room for further log lines. */
  #noticed(machine: Machine, notice: AgentNotice): Promise<void> | undefined {
    const { state } = machine;
    if (notice.kind === "log") {
      const owner = ownerOf(machine);
      // What an agent says of itself would read as if the whole workload came and went.
      if (notice.isOfAgent && owner?.id !== machine.id) return undefined;
      return owner && this.#options.reporter.log(owner.id, owner.workload, notice);
    }
    const end: MachineEnd = { kind: "exited", code: notice.code, message: notice.message };
    if (state.kind === "running") void this.end(machine, end);
    else if (state.kind === "deploying") this.#earlyEnds.set(machine.id, end);
    return undefined;
  }

  async #endOnce(machine: Machine, reason: MachineEnd): Promise<void> {
    const { reporter, onEnded, logger } = this.#options;
    const ended = await endMachine(machine, reason, { onStopping: () => this.#pool.remove(machine), logger });
    this.#earlyEnds.delete(machine.id);
    if (ended === undefined) return;
    reporter.undeployed(ended.id, ended.workload, reason);
    onEnded(ended);
  }
}

function undeployed(workload: Workload): DeployedWorkload {
  return { workload, bytes: 0, hash: "", usage: { runtimeNs: 0 } };
}
