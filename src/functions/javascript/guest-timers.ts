/** Timers of one function, driven from outside. */
export interface GuestTimers {
  readonly globals: Readonly<Record<string, object>>;
  /** Runs one callback that is due; answers the milliseconds until the next one, or -1. */
  readonly fire: () => number;
  /** Forgets everything: the invocation is over. */
  readonly reset: () => void;
}

/** What the timers need. */
export interface GuestTimersParts {
  /** Asks to be called in that many milliseconds; a later, earlier wish replaces it. */
  readonly wakeIn: (milliseconds: number) => void;
  /** Takes an error that a callback threw. */
  readonly uncaught: (error: unknown) => void;
}

/**
 * `setTimeout`, `setInterval`, their ends, `queueMicrotask` and `performance.now`. Runs inside the isolate, from its own
 * source text: refers to nothing outside its body, and takes what it calls before the function's code runs.
 */
export function guestTimers({ wakeIn, uncaught }: GuestTimersParts): GuestTimers {
  const MAX_TIMERS = 10_000;
  const LONGEST_MS = 2_147_483_647;
  const { now } = Date;
  const { apply, ownKeys } = Reflect;
  const then: (this: Promise<void>, done: () => void) => unknown = Reflect.get(Promise.prototype, "then");
  const { floor } = Math;
  const resolved = Promise.resolve();

  interface Timer {
    readonly callback: (...values: unknown[]) => unknown;
    readonly values: readonly unknown[];
    readonly everyMs: number | undefined;
    due: number;
  }
  const none = (): Record<string, Timer> => ({ __proto__: null }) as unknown as Record<string, Timer>;
  let timers = none();
  let started = 0;
  let lastId = 0;
  let wokenAt = Infinity;
  let latest = 0;
  const origin = now();

  /** Never goes back, whatever the clock does. */
  const clock = (): number => {
    const time = now() - origin;
    if (time > latest) latest = time;
    return latest;
  };
  const wakeAt = (due: number): void => {
    if (due >= wokenAt) return;
    wokenAt = due;
    const left = due - clock();
    wakeIn(left > 0 ? left : 0);
  };

  const start = (values: readonly unknown[], repeats: boolean): number => {
    const [callback, delay, ...rest] = values;
    if (typeof callback !== "function") throw new TypeError("the callback of a timer must be a function");
    if (++started > MAX_TIMERS) throw new RangeError(`an invocation can have ${MAX_TIMERS} timers at most`);
    const wanted = floor(Number(delay));
    const everyMs = wanted >= 1 && wanted <= LONGEST_MS ? wanted : 1;
    const due = clock() + everyMs;
    lastId += 1;
    timers[lastId] = {
      callback: callback as Timer["callback"],
      values: rest,
      everyMs: repeats ? everyMs : undefined,
      due,
    };
    wakeAt(due);
    return lastId;
  };
  const stop = (id: unknown): void => {
    if (typeof id === "number" || typeof id === "string") delete timers[id];
  };

  /** The timer to run next: the earliest, of equal ones the oldest. */
  const nextId = (): string | undefined => {
    const ids = ownKeys(timers) as string[];
    let found: string | undefined;
    for (let index = 0; index < ids.length; index++) {
      const id = ids[index] as string;
      const best = found === undefined ? undefined : timers[found];
      if (best === undefined || (timers[id]?.due ?? 0) < best.due) found = id;
    }
    return found;
  };

  return {
    globals: {
      setTimeout: (...values: unknown[]) => start(values, false),
      setInterval: (...values: unknown[]) => start(values, true),
      clearTimeout: stop,
      clearInterval: stop,
      queueMicrotask: (callback: unknown) => {
        if (typeof callback !== "function") throw new TypeError("the callback must be a function");
        void apply(then, resolved, [
          () => {
            try {
              apply(callback, undefined, []);
            } catch (error) {
              uncaught(error);
            }
          },
        ]);
      },
      performance: Object.freeze({ now: clock, timeOrigin: origin }),
    },
    fire: () => {
      wokenAt = Infinity;
      const id = nextId();
      const timer = id === undefined ? undefined : timers[id];
      if (id === undefined || timer === undefined) return -1;
      if (timer.due <= clock()) {
        if (timer.everyMs === undefined) delete timers[id];
        else timer.due = clock() + timer.everyMs;
        try {
          apply(timer.callback, globalThis, timer.values);
        } catch (error) {
          uncaught(error);
        }
      }
      const next = nextId();
      if (next === undefined) return -1;
      const due = timers[next]?.due ?? 0;
      wokenAt = due;
      const left = due - clock();
      return left > 0 ? left : 0;
    },
    reset: () => {
      if (started === 0) return;
      timers = none();
      started = 0;
      wokenAt = Infinity;
    },
  };
}
