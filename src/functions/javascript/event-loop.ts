/**
 * Brings the answers of host calls and the time into an isolate while an invocation is pending, one turn at a time.
 *
 * E1 nothing is brought in while no invocation is pending, nor after the end
 * E2 turns do not overlap; what arrives during one goes with the next
 */
import type { BridgeReply } from "../../host-services/guest/service-bridge.ts";
import type { GuestNext } from "./guest-context.ts";

/** Answers of calls, by their numbers. */
export type Answers = (readonly [id: number, reply: BridgeReply])[];

export interface EventLoop {
  /** An invocation starts. `end` is told the failure of a callback; `broken` an error of the engine. */
  begin(ways: InvocationWays): void;
  /** The invocation is over: its timer ends, its calls are abandoned. */
  end(): void;
  /** A call has been answered. */
  answered(id: number, reply: BridgeReply): void;
  /** The guest wants to be woken. */
  wakeIn(milliseconds: number): void;
}

/** How a pending invocation ends other than by its result. */
export interface InvocationWays {
  readonly failed: (reply: Exclude<GuestNext, number>) => void;
  readonly broken: (error: unknown) => void;
}

/** `turn` enters the isolate once, at once or on another thread. */
export function createEventLoop(
  turn: (answers: Answers, due: boolean) => GuestNext | Promise<GuestNext>,
): EventLoop {
  let ways: InvocationWays | undefined;
  let answers: Answers = [];
  let timer: NodeJS.Timeout | undefined;
  let wakeAt = Infinity;
  let due = false;
  let busy = false;

  const disarm = (): void => {
    clearTimeout(timer);
    timer = undefined;
    wakeAt = Infinity;
  };
  const ring = (): void => {
    disarm();
    due = true;
    void pump();
  };
  const arm = (milliseconds: number): void => {
    const at = performance.now() + milliseconds;
    if (at >= wakeAt) return;
    clearTimeout(timer);
    wakeAt = at;
    timer = setTimeout(ring, Math.ceil(milliseconds));
  };

  const pump = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    for (let now = ways; now !== undefined && (answers.length > 0 || due); now = ways) {
      const [batch, fire] = [answers, due];
      answers = [];
      due = false;
      try {
        const next = await turn(batch, fire);
        if (ways !== now) continue;
        if (typeof next !== "number") now.failed(next);
        else if (fire && next >= 0) arm(next);
      } catch (error) {
        if (ways === now) now.broken(error);
        break;
      }
    }
    busy = false;
  };

  return {
    begin: (given) => {
      ways = given;
    },
    end: () => {
      ways = undefined;
      if (answers.length > 0) answers = [];
      due = false;
      if (timer !== undefined) disarm();
    },
    answered: (id, reply) => {
      if (ways === undefined) return;
      answers.push([id, reply]);
      void pump();
    },
    wakeIn: (milliseconds) => {
      if (ways !== undefined && milliseconds >= 0) arm(milliseconds);
    },
  };
}
