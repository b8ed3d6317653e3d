import { NexError } from "../lib/errors.ts";
import { ControlRefusedError } from "./envelope.ts";

/** What was attempted, for the text of its failure. */
export interface Attempt {
  /** E.g. `deploy workload "echo"`: follows "Cannot". */
  readonly action: string;
  readonly nodeId: string;
  readonly timeoutMs: number;
}

/** The error to throw when a request to one node failed: what the connection, the node or its reply says. */
export function requestError(error: unknown, { action, nodeId, timeoutMs }: Attempt): NexError {
  if (error instanceof ControlRefusedError) {
    return new ControlRefusedError({ reason: error.reason, message: `Cannot ${action}: ${error.reason}` });
  }
  if (error instanceof NexError && error.code === "WIRE_INVALID") {
    return new NexError({
      code: "WIRE_INVALID",
      message: `Cannot ${action}: the reply of node "${nodeId}" is not readable: ${error.message}`,
      hint: "The node may run another version: compare them with nex node ls",
      cause: error,
    });
  }
  if (error instanceof NexError) return error;
  if (isNoResponders(error)) {
    return new NexError({
      code: "NODE_NOT_FOUND",
      message: `Cannot ${action}: there is no node "${nodeId}"`,
      hint: "A node gets a new id at every start: list the running ones with nex node ls",
      cause: error,
    });
  }
  if (isTimeout(error)) {
    return new NexError({
      code: "TIMEOUT",
      message: `Cannot ${action}: node "${nodeId}" did not answer within ${timeoutMs} ms`,
      hint: "It may still do so: look with nex node info, or allow more time",
      cause: error,
    });
  }
  return connectionError(error, action);
}

/** The error for a failure of the connection itself. */
export function connectionError(error: unknown, action: string): NexError {
  return new NexError({
    code: "CONTROL_REQUEST_FAILED",
    message: `Cannot ${action}: ${error instanceof Error ? error.message : "the connection failed"}`,
    hint: "See whether the connection is open and its user may publish and subscribe below $NEX",
    cause: error,
  });
}

/** By name, not by class: the caller's connection may come from another copy of the client library. */
export function isNoResponders(error: unknown): boolean {
  return hasName(error, "NoResponders") || hasName(error, "NoRespondersError");
}

function isTimeout(error: unknown): boolean {
  return hasName(error, "TimeoutError");
}

function hasName(error: unknown, name: string): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === name || hasName(error.cause, name);
}
