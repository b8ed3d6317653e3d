/**
 * Limits of one service of one workload.
 *
 * L1 a call settles within its time, and within the caller's, its wait for a free place included
 * L2 calls beyond `maxConcurrentCalls` wait, in the order they came
 * L3 while N invocations are under way, at most N times `maxCallsPerInvocation` calls are done for them
 */
import { CallTime } from "./call-time.ts";
import { attempt, requireSize, ServiceFailure } from "./service-failure.ts";
import type { HostService, HostServiceCall, HostServiceResult } from "./host-services.ts";

export interface CallLimits {
  /** Time for one call in milliseconds. */
  readonly timeoutMs: number | ((method: string) => number);
  /** Largest body of a call or an answer. */
  readonly maxBodyBytes: number;
  readonly maxConcurrentCalls: number;
  /** 0 for none. */
  readonly maxCallsPerInvocation: number;
}

/** A service that gives up when the time is over. */
export type TimedService = (call: HostServiceCall, time: CallTime) => Promise<HostServiceResult>;

/** A service under limits, and the count of the invocations it is called in. */
export interface LimitedService {
  readonly call: HostService;
  enter(): void;
  leave(): void;
}

/** Puts a service under limits (L1 to L3). */
export function limitService(service: TimedService, limits: CallLimits): LimitedService {
  const places = new Places(limits.maxConcurrentCalls);
  const budget = new CallBudget(limits.maxCallsPerInvocation);
  return {
    enter: () => budget.enter(),
    leave: () => budget.leave(),
    call: async (call) => {
      budget.take();
      requireSize("the body", call.body.length, limits.maxBodyBytes);
      const ownMs = typeof limits.timeoutMs === "number" ? limits.timeoutMs : limits.timeoutMs(call.method);
      const time = new CallTime(Math.min(ownMs, call.timeoutMs ?? ownMs));
      try {
        if (!places.takeFree()) await places.take(time.signal);
        try {
          return await service(call, time);
        } finally {
          places.giveBack();
        }
      } finally {
        time.end();
      }
    },
  };
}

/** Places for calls that run at the same time (L2). */
class Places {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  takeFree(): boolean {
    if (this.#free === 0) return false;
    this.#free -= 1;
    return true;
  }

  /** Waits for one. */
  async take(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    try {
      await attempt("too many concurrent calls", signal, promise);
    } catch (cause) {
      // Not waiting any more means that a place was given in the same moment.
      if (!this.#waiting.delete(resolve)) this.giveBack();
      throw new ServiceFailure(429, "too many concurrent calls of this workload", cause);
    }
  }

  giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** Calls of the invocations under way (L3). */
class CallBudget {
  readonly #perInvocation: number;
  #invocations = 0;
  #calls = 0;

  constructor(perInvocation: number) {
    this.#perInvocation = perInvocation;
  }

  enter(): void {
    this.#invocations += 1;
  }

  /** The node cannot tell whose calls they were: an end gives the full allowance back. */
  leave(): void {
    this.#invocations -= 1;
    this.#calls = this.#invocations === 0 ? 0 : Math.max(0, this.#calls - this.#perInvocation);
  }

  take(): void {
    if (this.#perInvocation === 0) return;
    // A call from outside of invocations (a promise left behind) has the allowance of one.
    if (this.#calls >= this.#perInvocation * Math.max(1, this.#invocations)) {
      throw new ServiceFailure(429, `more than ${this.#perInvocation} calls in one invocation`);
    }
    this.#calls += 1;
  }
}
