import type { FunctionFailure } from "./function.ts";
import type { Isolate } from "./isolate-engine.ts";
import type { MainThread } from "./main-thread.ts";

/** What one invocation came to, as the code inside the isolate reports it. */
export type GuestReply =
  | { readonly kind: "succeeded"; readonly body: Uint8Array }
  | { readonly kind: "failed"; readonly failure: FunctionFailure; readonly message: string };

/** A function set up inside an isolate: one life of it, thrown away after a timeout. */
export interface Guest {
  /**
   * Runs the function once. Rejects only with an error of the engine (terminated, disposed): what the function
   * throws is a reply.
   */
  invoke(subject: string, payload: Uint8Array): Promise<GuestReply>;
  /**
   * The same on the calling thread, which spares waking up another one: most of what a quick call costs. A promise
   * when the function is asynchronous. Throws errors of the engine. Undefined when the function may wait for answers
   * that this thread has to fetch.
   */
  readonly invokeHere:
    | ((subject: string, payload: Uint8Array) => GuestReply | Promise<GuestReply>)
    | undefined;
  /** Called after the reply is on its way: the time to get ready for the next invocation. */
  prepare(): void;
  /** Ends the host calls in flight with an error and refuses further ones. */
  abort(): void;
  /** Resolves when the isolate is idle, after handing over what the function still had to log. */
  settle(): Promise<void>;
  /** Lets go of everything inside the isolate. */
  release(): void;
}

/**
 * Sets the function up in an isolate. `thread` is for the later turns of an invocation: the first one, by
 * {@link Guest.invokeHere}, is watched already.
 *
 * @throws {NexError} `FUNCTION_INVALID` when its source is refused
 */
export type StartGuest = (isolate: Isolate, thread: MainThread) => Promise<Guest>;

/** A reference into the host, as code inside the isolate sees it. Never handed to the function. */
export interface HostReference {
  applyIgnored(receiver: undefined, values: readonly unknown[], options: object): void;
  applySync(receiver: undefined, values: readonly unknown[], options?: object): unknown;
  applySyncPromise(receiver: undefined, values: readonly unknown[], options: object): unknown;
}

/** A Uint8Array whose buffer holds nothing else: copying it into an isolate copies the whole buffer (F3). */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  if (whole && bytes.constructor === Uint8Array && bytes.buffer instanceof ArrayBuffer) return bytes;
  return new Uint8Array(bytes);
}
