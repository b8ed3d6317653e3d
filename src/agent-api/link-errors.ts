import { NexError } from "../lib/errors.ts";
import type { LinkEnd } from "./link.ts";

/** Why a message was not sent, or a request no longer waits: the link has ended. */
export function linkClosed(subject: string, end: LinkEnd): NexError {
  return cannotSend(
    "LINK_CLOSED",
    subject,
    end.kind === "closed" ? "the link is closed" : `link lost: ${end.reason}`,
  );
}

export function cannotSend(
  code: "LINK_CLOSED" | "LINK_CONGESTED" | "LINK_MESSAGE_TOO_LARGE",
  subject: string,
  reason: string,
): NexError {
  return new NexError({ code, message: `Cannot send "${subject}": ${reason}` });
}
