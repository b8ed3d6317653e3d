import { agentInbox, nodeInbox } from "../agent-api/nats-link-subjects.ts";

/** The subjects that a user may use; all others are refused. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/**
 * An agent is allowed nothing but its own subjects. Replies go to explicit inboxes: `allow_responses` would forget, at
 * every reload, which replies it owes.
 */
export function agentPermissions(id: string): Permissions {
  return {
    publish: [`${nodeInbox(id)}.>`, `hostint.${id}.>`],
    subscribe: [`agentint.${id}.>`, `${agentInbox(id)}.>`],
  };
}
