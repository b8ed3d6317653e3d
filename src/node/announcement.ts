import { uptimeText } from "../control-api/span-text.ts";
import type { Logger } from "../lib/logger.ts";
import type { EventPublisher } from "./event-publisher.ts";
import type { NodeState } from "./node-state.ts";

const HEARTBEAT_MS = 30_000;

/** Tells the world that a node is there: `node_started`, heartbeats, and `node_stopped` when it is disposed. */
export interface Announcement extends Disposable {
  start(): void;
}

export interface AnnouncementOptions {
  readonly node: NodeState;
  readonly events: Pick<EventPublisher, "node">;
  readonly logger: Logger;
  /** Time between heartbeats. Default 30000. */
  readonly intervalMs?: number | undefined;
}

export function createAnnouncement(options: AnnouncementOptions): Announcement {
  const { node, events, logger, intervalMs = HEARTBEAT_MS } = options;
  const { identity } = node;
  const id = identity.key.publicKey;
  let timer: NodeJS.Timeout | undefined;
  const beat = (): void => {
    events.node("heartbeat", {
      version: identity.version,
      node_id: id,
      nexus: identity.nexus,
      uptime: uptimeText((Date.now() - identity.startedAt.getTime()) / 1000),
      tags: node.tags(),
      running_machines: node.machines.occupied().length,
    });
  };
  return {
    start: () => {
      logger.info("Use this key as the recipient for encrypted run requests", {
        public_xkey: identity.xkey.publicKey,
      });
      logger.info("NATS execution engine awaiting commands", { id, version: identity.version });
      logger.info("Publishing node started event");
      events.node("node_started", { version: identity.version, id, tags: node.tags() });
      timer = setInterval(beat, intervalMs);
    },
    [Symbol.dispose]: () => {
      if (timer === undefined) return;
      clearInterval(timer);
      logger.info("Publishing node stopped event");
      events.node("node_stopped", { id, graceful: true });
    },
  };
}
