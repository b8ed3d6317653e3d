/**
 * The function contract: JavaScript and WebAssembly look the same to the agent.
 *
 * F1 an invocation always settles: within the time limit by its result or failure, after it (plus a grace) by the
 *    end of the whole agent process through `onFatal`
 * F2 one function runs one invocation at a time; further calls wait in order
 * F3 payload bytes arrive unchanged and nothing else of the host's memory does; the result's bytes are a copy of its own
 * F4 after a failure of any kind the next invocation works, unless `onFatal` was called
 */
import type { HostServices } from "../host-services/guest/host-services.ts";

/** Bounds of one function. */
export interface FunctionLimits {
  /** Longest run of one invocation, host calls included, in milliseconds. */
  readonly timeoutMs: number;
  /** Heap of a JavaScript isolate, or linear memory of a WebAssembly instance, in MiB. */
  readonly memoryMiB: number;
  /** Largest source of a JavaScript function in bytes, its source map included. Default 5 MiB. */
  readonly maxSourceBytes?: number;
}

/** A line for the workload's log. */
export type FunctionLogLevel = "debug" | "info" | "warn" | "error";

/** What a function is loaded from, and what it may reach. */
export interface FunctionSpec {
  /** Workload name, for messages and stack traces. */
  readonly name: string;
  readonly source: Uint8Array;
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: FunctionLimits;
  /**
   * Whether every invocation of a JavaScript function gets a new context, so that nothing stays from one to the next.
   * Default false. WebAssembly always does so.
   */
  readonly fresh?: boolean;
  readonly hostServices: HostServices;
  readonly log: (level: FunctionLogLevel, text: string) => void;
  /**
   * Called when the engine can no longer be trusted (memory exhausted, an endless loop that does not stop). The
   * process must end at once; nothing of this function is used afterwards.
   */
  readonly onFatal: (reason: string) => void;
}

/** Why an invocation failed. */
export type FunctionFailure =
  | "timeout"
  | "out-of-memory"
  | "exception"
  | "not-a-function"
  | "unserializable-result"
  | "exit-code"
  | "trap";

/** Outcome of one invocation; `runtimeNs` is the execution time in nanoseconds. */
export type InvocationOutcome =
  | { readonly kind: "succeeded"; readonly body: Uint8Array; readonly runtimeNs: number }
  | {
      readonly kind: "failed";
      readonly failure: FunctionFailure;
      /** One line that names the cause, as protocol.md 7.3 words it where it does. */
      readonly message: string;
      readonly runtimeNs: number;
    };

/** A loaded function, ready to be invoked. */
export interface LoadedFunction extends AsyncDisposable {
  /**
   * Runs the function once (F1, F2); the outcome at once where it ran through at once, which spares its caller the promises.
   * Never throws nor rejects. `subject` is the actual subject of the triggering message.
   */
  invoke(subject: string, payload: Uint8Array): InvocationOutcome | Promise<InvocationOutcome>;
}

/**
 * Loads a function: checks and compiles its source.
 *
 * @throws {NexError} `FUNCTION_INVALID` with the text of protocol.md 7.3 or 7.5
 */
export type FunctionLoader = (spec: FunctionSpec) => Promise<LoadedFunction>;
