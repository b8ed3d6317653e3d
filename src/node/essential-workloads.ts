/**
 * Deploys essential workloads again when they fail (protocol.md 8.4), and functions whose agent was lost: an engine that
 * can no longer be trusted ends its agent, and the next message has to find the function nevertheless.
 *
 * E1 an attempt that is refused or fails is followed by the next one, with growing delays, for ever
 * E2 nothing is attempted after a stop, in lame duck mode, or once closed; what is under way then is taken down again
 * E3 a workload between two attempts is listed, found and stopped under the id of its last instance
 */
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { EndedWorkload } from "./end-machine.ts";
import { equalsIgnoringCase } from "./machine-registry.ts";
import { afterAttempt, afterFailure, attemptDelayMs, isFailure } from "./restart-policy.ts";
import { isFunctionType } from "./workload.ts";
import type { Workload } from "./workload.ts";

export interface EssentialWorkloadsOptions {
  /** Deploys once more and gives the new id. Rejects with the reason why not. */
  readonly deploy: (workload: Workload) => Promise<string>;
  /** Ends an instance that is not wanted any more (E2). */
  readonly end: (id: string) => Promise<void>;
  readonly logger: Logger;
}

/** A failed workload that is to be deployed again. */
export interface WaitingWorkload {
  /** Id of its last instance. */
  readonly id: string;
  readonly workload: Workload;
  /** Hex SHA-256 of the last instance's artifact. */
  readonly hash: string;
}

interface Entry {
  readonly id: string;
  readonly hash: string;
  workload: Workload;
  /** Undefined while an attempt is under way. */
  timer: NodeJS.Timeout | undefined;
  attempt: Promise<void> | undefined;
  isCancelled: boolean;
}

export class EssentialWorkloads {
  readonly #options: EssentialWorkloadsOptions;
  readonly #entries = new Map<string, Entry>();
  #isClosed = false;

  constructor(options: EssentialWorkloadsOptions) {
    this.#options = options;
  }

  /** Takes note of a workload that ran and ended; decides whether it is deployed again. */
  ended({ id, workload, hash, reason, ranMs }: EndedWorkload): void {
    if (this.#isClosed || !isFailure(reason) || !(workload.essential || isFunctionType(workload.type)))
      return;
    const restarts = afterFailure(workload.restarts, { end: reason, at: new Date(), ranMs });
    const entry: Entry = {
      id,
      hash,
      workload: { ...workload, restarts },
      timer: undefined,
      attempt: undefined,
      isCancelled: false,
    };
    this.#entries.set(id, entry);
    this.#schedule(entry, {
      workload_id: id,
      code: restarts.lastExit?.code,
      reason: restarts.lastExit?.reason,
    });
  }

  /** Workloads between two attempts (E3), of one namespace or of all. */
  waiting(namespace?: string): WaitingWorkload[] {
    return [...this.#entries.values()].filter(
      ({ timer, workload }) =>
        timer !== undefined && (namespace === undefined || equalsIgnoringCase(workload.namespace, namespace)),
    );
  }

  /** A workload that is to be deployed again, by the id of its last instance. */
  find(id: string): WaitingWorkload | undefined {
    return this.#entries.get(id);
  }

  /** Gives one up; resolves once nothing of it is left. */
  async cancel(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#drop(entry);
    await entry.attempt;
  }

  /** Gives all up: nothing is deployed again from now on (E2). */
  close(): void {
    this.#isClosed = true;
    for (const entry of this.#entries.values()) this.#drop(entry);
  }

  #drop(entry: Entry): void {
    entry.isCancelled = true;
    clearTimeout(entry.timer);
    entry.timer = undefined;
    this.#entries.delete(entry.id);
  }

  #schedule(entry: Entry, why: Readonly<Record<string, unknown>>): void {
    const { name, namespace, restarts } = entry.workload;
    const delayMs = attemptDelayMs(restarts);
    this.#options.logger.warn("Workload is to be deployed again", {
      namespace,
      workload: name,
      ...why,
      delay_ms: delayMs,
    });
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      entry.attempt = this.#attempt(entry);
    }, delayMs);
  }

  /** Never rejects. */
  async #attempt(entry: Entry): Promise<void> {
    const { deploy, end, logger } = this.#options;
    const restarts = afterAttempt(entry.workload.restarts, new Date());
    entry.workload = { ...entry.workload, restarts };
    const { name, namespace } = entry.workload;
    const about = { namespace, workload: name, retry_count: restarts.count };
    try {
      const id = await deploy(entry.workload);
      this.#entries.delete(entry.id);
      logger.info("Deployed a workload again", { ...about, workload_id: id });
      if (entry.isCancelled) await end(id);
    } catch (error) {
      if (entry.isCancelled) return;
      this.#schedule(entry, { retry_count: restarts.count, error: errorText(error) });
    }
  }
}
