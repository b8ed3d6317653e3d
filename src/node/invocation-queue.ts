/**
 * What waits between the triggers of one function and the agents that run it: its own (the primary), and further
 * instances while it is busy.
 *
 * V1 an invocation that finds an agent free goes to it at once, to the primary if that is free: whoever calls one at a
 *    time always meets the same agent. Others wait, first come first served, at most `MAX_WAITING` of them. Tiny ones wait
 *    for the primary as long as it gets on
 * V2 an agent runs one invocation at a time. It gets more of them ahead while they are so short that none waits there longer
 *    than about `AHEAD_NS`; at most `MAX_IN_FLIGHT`. What is with an agent cannot go to another one, and the invocation that
 *    runs there may need it: a function that calls itself. So a function that asks others gets none ahead
 * V3 an instance is added when an invocation has waited for `PATIENCE_MS` (for ten times that while invocations are short:
 *    then processors are what is scarce) and fewer than `concurrency` run, one at a time; it is given up when it had nothing to do
 *    for `idleMs`
 * V4 the end of an instance fails what it runs, nothing else. Once `close` has resolved all instances have ended
 */
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { TriggerOutcome } from "./triggers.ts";

/** Most invocations that are with one agent, waiting there or running. */
export const MAX_IN_FLIGHT = 64;
const MAX_WAITING = 16_384;
const AHEAD_NS = 2_000_000;
const PATIENCE_MS = 10;
const SHORT_NS = 1_000_000;
/** Of such invocations the node can hand out no more than one agent does: a second one only costs processor time. */
const TINY_NS = 200_000;
/** How long until the pool is asked again, when it had no idle agent. */
const RETRY_MS = 25;
/** The same when the agent could not run the function. */
const RETRY_FAILED_MS = 1000;

/** An agent that runs the function. */
export interface Runner {
  /** Runs the function once; never rejects. */
  readonly trigger: (subject: string, payload: Uint8Array) => Promise<TriggerOutcome>;
  readonly isReachable: boolean;
}

/** One more agent. */
export interface Instance {
  readonly runner: Runner;
  /** Resolves once it has ended, for whatever reason. */
  readonly ended: Promise<unknown>;
  /** Ends it. Never rejects. */
  end(): Promise<void>;
}

export interface InvocationQueueOptions {
  readonly primary: Runner;
  /** Most agents, the primary included. */
  readonly concurrency: number;
  /** Starts one more; undefined when there is none to be had now. */
  readonly addInstance: () => Promise<Instance | undefined>;
  /** Whether the function has asked others for something, who may need the function for their answer (V2). */
  readonly asksOthers: () => boolean;
  /** How long an instance may have nothing to do. */
  readonly idleMs: number;
  readonly logger: Logger;
}

interface Lane {
  readonly runner: Runner;
  inFlight: number;
  /** When it last ended an invocation, or began one after it had none. */
  lastUsedMs: number;
  /** Undefined for the primary. */
  readonly instance: Instance | undefined;
}

interface Waiting {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly atMs: number;
  readonly resolve: (outcome: TriggerOutcome | Promise<TriggerOutcome>) => void;
}

const REFUSED: TriggerOutcome = { kind: "failed", message: "too many messages wait for this function" };

export class InvocationQueue {
  readonly #options: InvocationQueueOptions;
  readonly #primary: Lane;
  readonly #waiting: Waiting[] = [];
  #lanes: readonly Lane[];
  /** How long an invocation takes, on average of the last ones; undefined until the first one ended. */
  #runtimeNs: number | undefined;
  #adding: Promise<void> | undefined;
  #growTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  /** Ends under way. */
  readonly #ends = new Set<Promise<void>>();

  constructor(options: InvocationQueueOptions) {
    this.#options = options;
    this.#primary = laneOf(options.primary, undefined);
    this.#lanes = [this.#primary];
  }

  /** Runs the function once (V1). Never rejects. */
  readonly invoke = (subject: string, payload: Uint8Array): Promise<TriggerOutcome> => {
    const lane = this.#findFree();
    if (lane !== undefined && this.#waiting.length === 0) return this.#run(lane, subject, payload);
    if (this.#waiting.length >= MAX_WAITING) return Promise.resolve(REFUSED);
    const { promise, resolve } = Promise.withResolvers<TriggerOutcome>();
    this.#waiting.push({ subject, payload, resolve, atMs: performance.now() });
    if (lane !== undefined) this.#runWaiting();
    this.#growLater(this.#patienceMs);
    return promise;
  };

  /** Ends all instances; call it when nothing waits any more. Idempotent, never rejects (V4). */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  #run(lane: Lane, subject: string, payload: Uint8Array): Promise<TriggerOutcome> {
    if (lane.inFlight === 0) lane.lastUsedMs = performance.now();
    lane.inFlight += 1;
    const running = lane.runner.trigger(subject, payload);
    void running.then((outcome) => {
      lane.inFlight -= 1;
      lane.lastUsedMs = performance.now();
      this.#learn(outcome.runtimeNs);
      // The caller is answered first.
      if (this.#waiting.length > 0) queueMicrotask(this.#runWaiting);
    });
    return running;
  }

  readonly #runWaiting = (): void => {
    for (;;) {
      const lane = this.#waiting.length > 0 ? this.#findFree() : undefined;
      const next = lane === undefined ? undefined : this.#waiting.shift();
      if (lane === undefined || next === undefined) return;
      next.resolve(this.#run(lane, next.subject, next.payload));
    }
  };

  /** The agent with the least to do that has room (V1). With none to be reached the primary tells why. */
  #findFree(): Lane | undefined {
    const ahead = this.#maxAhead();
    if (this.#isTiny() && this.#getsOn(this.#primary))
      return this.#primary.inFlight < ahead ? this.#primary : undefined;
    let best: Lane | undefined;
    let unreachable = 0;
    for (const lane of this.#lanes) {
      if (!lane.runner.isReachable) unreachable += 1;
      else if (lane.inFlight < (best?.inFlight ?? ahead)) best = lane;
    }
    return unreachable === this.#lanes.length ? this.#primary : best;
  }

  #isTiny(): boolean {
    return this.#runtimeNs !== undefined && this.#runtimeNs < TINY_NS && !this.#options.asksOthers();
  }

  #getsOn({ runner, inFlight, lastUsedMs }: Lane): boolean {
    return runner.isReachable && (inFlight === 0 || performance.now() - lastUsedMs < PATIENCE_MS);
  }

  /** V2. There is nothing to keep back for others where there are none. */
  #maxAhead(): number {
    if (this.#options.concurrency === 1) return MAX_IN_FLIGHT;
    if (this.#runtimeNs === undefined || this.#options.asksOthers()) return 1;
    return Math.max(1, Math.min(MAX_IN_FLIGHT, Math.floor(AHEAD_NS / Math.max(1, this.#runtimeNs))));
  }

  #learn(runtimeNs: number | undefined): void {
    if (runtimeNs === undefined) return;
    const known = this.#runtimeNs ?? runtimeNs;
    this.#runtimeNs = known + (runtimeNs - known) / 8;
  }

  /** V3 */
  get #patienceMs(): number {
    return (this.#runtimeNs ?? Infinity) < SHORT_NS ? 10 * PATIENCE_MS : PATIENCE_MS;
  }

  #growLater(delayMs: number): void {
    if (this.#growTimer !== undefined || this.#adding !== undefined || this.#closing !== undefined) return;
    this.#growTimer = setTimeout(() => {
      this.#growTimer = undefined;
      this.#growIfNeeded();
    }, delayMs).unref();
  }

  #growIfNeeded(): void {
    const [oldest] = this.#waiting;
    if (oldest === undefined) return;
    const restMs = this.#patienceMs - (performance.now() - oldest.atMs);
    if (restMs > 0) {
      this.#growLater(restMs);
      return;
    }
    // The primary may have stopped to get on.
    this.#runWaiting();
    if (this.#waiting.length === 0) return;
    if (this.#lanes.length >= this.#options.concurrency) {
      this.#growLater(PATIENCE_MS);
      return;
    }
    this.#adding = this.#add().then((retryMs) => {
      this.#adding = undefined;
      if (this.#waiting.length > 0) this.#growLater(retryMs);
    });
  }

  /** Adds one instance; gives how long to wait until the next. Never rejects. */
  async #add(): Promise<number> {
    const { addInstance, logger, idleMs } = this.#options;
    let instance: Instance | undefined;
    try {
      instance = await addInstance();
    } catch (error) {
      logger.warn("Cannot add an instance of a function", { error: errorText(error) });
      return RETRY_FAILED_MS;
    }
    if (instance === undefined) return RETRY_MS;
    const lane = laneOf(instance.runner, instance);
    this.#lanes = [...this.#lanes, lane];
    void instance.ended.then(() => {
      this.#remove(lane);
      if (this.#waiting.length > 0) this.#growLater(PATIENCE_MS);
    });
    this.#idleTimer ??= setTimeout(this.#giveUpIdle, idleMs);
    this.#runWaiting();
    return PATIENCE_MS;
  }

  readonly #giveUpIdle = (): void => {
    const { idleMs } = this.#options;
    const nowMs = performance.now();
    for (const lane of this.#lanes) {
      if (lane.inFlight === 0 && nowMs - lane.lastUsedMs >= idleMs) this.#end(lane);
    }
    this.#idleTimer = this.#lanes.length > 1 ? setTimeout(this.#giveUpIdle, idleMs / 2) : undefined;
  };

  #end(lane: Lane): void {
    if (lane.instance === undefined) return;
    this.#remove(lane);
    const end = lane.instance.end();
    this.#ends.add(end);
    void end.then(() => this.#ends.delete(end));
  }

  #remove(lane: Lane): void {
    this.#lanes = this.#lanes.filter((other) => other !== lane);
  }

  async #close(): Promise<void> {
    clearTimeout(this.#growTimer);
    clearTimeout(this.#idleTimer);
    await this.#adding;
    clearTimeout(this.#idleTimer);
    for (const lane of this.#lanes) this.#end(lane);
    await Promise.all(this.#ends);
  }
}

function laneOf(runner: Runner, instance: Instance | undefined): Lane {
  return { runner, instance, inFlight: 0, lastUsedMs: performance.now() };
}
