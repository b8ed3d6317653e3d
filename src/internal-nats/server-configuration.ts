import { agentPermissions } from "./agent-permissions.ts";

/** The account of the node and its agents. No account has JetStream. */
export const ACCOUNT = "nex";

/** Who may connect to a server that reads it in its configuration. */
interface ReloadUsers {
  /** Public nkey of the node. */
  readonly node: string;
  /** Public nkeys of the agents, by id. */
  readonly agents: ReadonlyMap<string, string>;
}

/** Who may connect to a server that asks for all others. */
interface CalloutUsers {
  /** Public nkey of the node. */
  readonly node: string;
  /** Public nkey of whoever answers, and ends connections: a user of the system account. */
  readonly authority: string;
  /** Public account key that signs the answers. */
  readonly issuer: string;
}

/** One account, no system account, one user per agent that is allowed nothing but its own subjects. */
export function reloadConfiguration({ node, agents }: ReloadUsers): string {
  const users = [user(node)];
  for (const [id, nkey] of agents) users.push(agentUser(id, nkey));
  return `${SETTINGS}
no_sys_acc: true
authorization: { timeout: ${TIMEOUT_SECONDS} }
accounts: { ${ACCOUNT}: { users: [
${users.join("\n")}
] } }
`;
}

/** The account of the node and its agents, and the system account, in which none of them is. */
export function calloutConfiguration({ node, authority, issuer }: CalloutUsers): string {
  return `${SETTINGS}
system_account: ${SYSTEM_ACCOUNT}
authorization: { timeout: ${TIMEOUT_SECONDS}, auth_callout: {
  issuer: ${issuer}
  account: ${SYSTEM_ACCOUNT}
  auth_users: [${node}, ${authority}]
} }
accounts: {
  ${ACCOUNT}: { users: [${user(node)}] }
  ${SYSTEM_ACCOUNT}: { users: [${user(authority)}] }
}
`;
}

const SYSTEM_ACCOUNT = "SYS";
const MIB = 1024 * 1024;

/** Emulated machines on a busy host are slow to sign. */
const TIMEOUT_SECONDS = 60;

/** What agents may send at most is what links of child processes may. */
const SETTINGS = `max_payload: ${64 * MIB}
max_pending: ${256 * MIB}
ping_interval: "20s"`;

function user(nkey: string): string {
  return `{ nkey: ${nkey} }`;
}

function agentUser(id: string, nkey: string): string {
  const { publish, subscribe } = agentPermissions(id);
  return `{ nkey: ${nkey}, permissions: { publish: { allow: ${list(publish)} }, subscribe: { allow: ${list(subscribe)} } } }`;
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((subject) => `"${subject}"`).join(", ")}]`;
}
