import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { NexError, errorText } from "../lib/errors.ts";
import { PARENT_CHANNEL_VARIABLE } from "../lib/parent-channel.ts";

/** What is needed of `process`. */
export interface ChannelOwner {
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The agent's end of the channel that the process driver made (`transport.channel` of its sandbox is the other end).
 * To be called once, by the agent's entry point, with `process`.
 *
 * @throws {NexError} `AGENT_METADATA_INVALID` when this process was not started with a channel
 */
export function parentProcessChannel(owner: ChannelOwner): Duplex {
  const text = owner.env[PARENT_CHANNEL_VARIABLE];
  if (text === undefined || !/^[1-9]\d{0,4}$/.test(text)) {
    throw noChannel(
      `${PARENT_CHANNEL_VARIABLE} is ${text === undefined ? "not set" : "not a file descriptor"}`,
    );
  }
  try {
    return new Socket({ fd: Number(text), readable: true, writable: true });
  } catch (cause) {
    throw noChannel(errorText(cause), cause);
  }
}

function noChannel(reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "AGENT_METADATA_INVALID",
    message: `Cannot open the channel to the node: ${reason}`,
    hint: "Agents are started by a node, not by hand",
    cause,
  });
}
