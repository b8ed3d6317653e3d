import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { NexError, errorText } from "../lib/errors.ts";
import { PARENT_CALLS_VARIABLE, PARENT_CHANNEL_VARIABLE } from "../lib/parent-channel.ts";

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
  const descriptor = descriptorIn(owner, PARENT_CHANNEL_VARIABLE);
  if (descriptor === undefined) throw noChannel(`${PARENT_CHANNEL_VARIABLE} is not set`);
  try {
    return new Socket({ fd: descriptor, readable: true, writable: true });
  } catch (cause) {
    throw noChannel(errorText(cause), cause);
  }
}

/**
 * The descriptor for calls that this process waits for (`transport.calls` is the other end); undefined when it was
 * given none.
 *
 * @throws {NexError} `AGENT_METADATA_INVALID`
 */
export function parentProcessCalls(owner: ChannelOwner): number | undefined {
  return descriptorIn(owner, PARENT_CALLS_VARIABLE);
}

function descriptorIn({ env }: ChannelOwner, name: string): number | undefined {
  const text = env[name];
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw noChannel(`${name} is not a file descriptor`);
}

function noChannel(reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "AGENT_METADATA_INVALID",
    message: `Cannot open the channel to the node: ${reason}`,
    hint: "Agents are started by a node, not by hand",
    cause,
  });
}
