import { NexError } from "../lib/errors.ts";

/** The subjects of one end of a link over NATS. */
export interface NatsLinkSubjects {
  /** What the other side asks of this end lies below it. */
  readonly served: string;
  /** Replies to this end's requests lie below it. */
  readonly inbox: string;
  /** Prefix of where the other side awaits its replies, with the dot. */
  readonly peerInbox: string;
  /** On this subject the other side says that it closed the link; on the second one this end does. */
  readonly hearClosed: string;
  readonly sayClosed: string;
}

/** Inbox of an agent; also the client's own, for a server that grants nothing else. */
export function agentInbox(id: string): string {
  return `_INBOX_${checked(id)}`;
}

/** Where the node awaits replies of one agent; `_HIN` is the prefix of all of them. */
export function nodeInbox(id: string): string {
  return `_HIN.${checked(id)}`;
}

/** @throws {NexError} `INTERNAL` for an id that is not letters and digits */
export function natsLinkSubjects(end: "node" | "agent", id: string): NatsLinkSubjects {
  const [node, agent] = [`hostint.${checked(id)}`, `agentint.${checked(id)}`];
  const [served, called] = end === "node" ? [node, agent] : [agent, node];
  return {
    served,
    inbox: end === "node" ? nodeInbox(id) : agentInbox(id),
    peerInbox: `${end === "node" ? agentInbox(id) : nodeInbox(id)}.`,
    hearClosed: `${served}.link.closed`,
    sayClosed: `${called}.link.closed`,
  };
}

function checked(id: string): string {
  if (/^[A-Za-z0-9]+$/.test(id)) return id;
  throw new NexError({
    code: "INTERNAL",
    message: `Cannot make a link: "${id.slice(0, 80)}" is not letters and digits`,
  });
}
