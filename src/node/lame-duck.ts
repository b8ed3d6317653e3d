import { encodeFailure } from "../control-api/envelope.ts";
import { encodeLameDuckReply, parseLameDuckRequest } from "../control-api/lame-duck.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { EventPublisher } from "./event-publisher.ts";
import type { NodeState } from "./node-state.ts";

const IDLE_POLL_MS = 100;

export interface LameDuckOptions {
  readonly node: NodeState;
  readonly events: EventPublisher;
  readonly logger: Logger;
  /** Called once, on the first command: nothing is deployed again from now on. */
  readonly onEntered: () => void;
  /** Called once when the node was asked to end and has no workload left. */
  readonly onIdle: () => void;
}

/** Lame duck mode (protocol.md 14.3): it is entered once and never left. Dispose stops the wait for idleness. */
export interface LameDuck extends Disposable {
  /** Answers LAMEDUCK. */
  answer(body: Uint8Array): Uint8Array;
}

export function createLameDuck({ node, events, logger, onEntered, onIdle }: LameDuckOptions): LameDuck {
  const { key, version } = node.identity;
  let timer: NodeJS.Timeout | undefined;
  const awaitIdle = (earliestMs: number): void => {
    clearInterval(timer);
    timer = setInterval(() => {
      if (performance.now() < earliestMs || !node.isIdle()) return;
      clearInterval(timer);
      logger.info("No workload is left in lame duck mode");
      onIdle();
    }, IDLE_POLL_MS);
  };
  const enter = (): void => {
    if (!node.enterLameDuck()) return;
    logger.info("Entered lame duck mode");
    events.node("node_entered_lameduck", { version, id: key.publicKey });
    onEntered();
  };
  return {
    answer: (body) => {
      try {
        const { exit_when_idle: exits = false, delay_ms: delayMs = 0 } = parseLameDuckRequest(body);
        enter();
        if (exits) {
          logger.info("The node ends once no workload is left", { delay_ms: delayMs });
          awaitIdle(performance.now() + delayMs);
        }
      } catch (error) {
        return encodeFailure("lameDuck", `Failed to enter lame duck mode: ${errorText(error)}`);
      }
      return encodeLameDuckReply({ node_id: key.publicKey, success: true });
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
