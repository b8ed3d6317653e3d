import { performance } from "node:perf_hooks";

/** Figures of one endpoint as service discovery shows them. Times in nanoseconds. */
export interface EndpointFigures {
  readonly requests: number;
  readonly errors: number;
  /** Empty when there was none. */
  readonly lastError: string;
  readonly processingNs: number;
}

const MAX_ERROR_LENGTH = 1024;

/** Counts the requests of one endpoint. */
export class EndpointCounts {
  #requests = 0;
  #errors = 0;
  #lastError = "";
  #processingNs = 0;

  get figures(): EndpointFigures {
    return {
      requests: this.#requests,
      errors: this.#errors,
      lastError: this.#lastError,
      processingNs: this.#processingNs,
    };
  }

  /** Counts a request that took `durationNs`; `error` when it failed. */
  add(durationNs: number, error?: string): void {
    this.#requests += 1;
    this.#processingNs += Math.max(0, Math.round(durationNs));
    if (error === undefined) return;
    this.#errors += 1;
    this.#lastError = error.slice(0, MAX_ERROR_LENGTH);
  }
}

/** Nanoseconds since `startMs` of `performance.now()`. */
export function nanosecondsSince(startMs: number): number {
  return (performance.now() - startMs) * 1_000_000;
}
