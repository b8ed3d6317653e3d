/** Largest payload and reply, in bytes, that goes through a mailbox. */
export const MAILBOX_BYTES = 16_384;

/**
 * Memory that host and isolate share, for the bytes of one invocation at a time: copying them into an isolate and out of it
 * any other way costs several microseconds. The guest's code keeps it to itself, the function never gets hold of it.
 */
export interface Mailbox {
  readonly memory: SharedArrayBuffer;
  /** Puts a payload in; false when it does not fit. */
  put(payload: Uint8Array): boolean;
  /** The reply that lies in it. What the isolate says of its length is not trusted. */
  take(length: number): Uint8Array;
}

export function createMailbox(): Mailbox {
  const memory = new SharedArrayBuffer(MAILBOX_BYTES);
  const bytes = new Uint8Array(memory);
  return {
    memory,
    put(payload) {
      if (payload.length > MAILBOX_BYTES) return false;
      bytes.set(payload);
      return true;
    },
    take: (length) => new Uint8Array(bytes.subarray(0, Math.max(0, length))),
  };
}
