import type { Link } from "../../src/agent-api/link.ts";

/** Two ends of one link, in the order node and agent; disposing closes both and all that was started for them. */
export interface LinkPair extends AsyncDisposable {
  readonly node: Link;
  readonly agent: Link;
  /** Resolves once handlers registered so far are in effect at either end. */
  readonly synced: () => Promise<void>;
}
