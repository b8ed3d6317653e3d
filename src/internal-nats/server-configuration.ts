import { agentInbox, nodeInbox } from "../agent-api/nats-link-subjects.ts";

/** Who may connect to the internal server. */
export interface InternalUsers {
  /** Public nkey of the node. */
  readonly node: string;
  /** Public nkeys of the agents, by id. */
  readonly agents: ReadonlyMap<string, string>;
}

/**
 * The internal server's configuration: one account without JetStream, no system account, one user per agent that is
 * allowed nothing but its own subjects. Replies go to explicit inboxes: `allow_responses` would forget, at every
 * reload, which replies it owes.
 */
export function internalServerConfiguration({ node, agents }: InternalUsers): string {
  const users = [`{ nkey: ${node} }`];
  for (const [id, nkey] of agents) users.push(agentUser(id, nkey));
  return `${SETTINGS}\naccounts: { nex: { users: [\n${users.join("\n")}\n] } }\n`;
}

const MIB = 1024 * 1024;

/** What agents may send at most is what links of child processes may. Emulated machines on a busy host are slow to sign. */
const SETTINGS = `no_sys_acc: true
max_payload: ${64 * MIB}
max_pending: ${256 * MIB}
ping_interval: "20s"
authorization: { timeout: 60 }`;

function agentUser(id: string, nkey: string): string {
  const publish = [`${nodeInbox(id)}.>`, `hostint.${id}.>`];
  const subscribe = [`agentint.${id}.>`, `${agentInbox(id)}.>`];
  return `{ nkey: ${nkey}, permissions: { publish: { allow: ${list(publish)} }, subscribe: { allow: ${list(subscribe)} } } }`;
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((subject) => `"${subject}"`).join(", ")}]`;
}
