import type { Inspect } from "./guest-inspect.ts";
import type { GuestMailbox } from "./guest-mailbox.ts";

/**
 * What an invocation comes back with: JSON text, bytes, nothing, or a failure as `[failure, message, stack]`; a promise
 * of these when the function is asynchronous.
 */
export type RunnerReply =
  | string
  | Uint8Array
  | undefined
  | readonly [failure: string, message: string, stack?: string];

/** The part of the runner that the host calls. */
export interface GuestRunner {
  /** Runs the script once; its completion value is the function. Undefined when that worked. */
  readonly bind: (source: string) => RunnerReply;
  /** Calls the function. */
  readonly invoke: (subject: string, payload: Uint8Array) => RunnerReply | Promise<RunnerReply>;
  /**
   * Calls the function; answers true when its result is still to come, from {@link takePending}. A number stands for so many
   * bytes in the mailbox.
   */
  readonly begin: (subject: string, payload: Uint8Array | number) => RunnerReply | number | true;
  readonly takePending: () => Promise<RunnerReply> | undefined;
  /** A failure as it is reported. */
  readonly explain: (error: unknown) => RunnerReply;
}

/** What the runner needs. */
export interface GuestRunnerParts {
  readonly inspect: Inspect;
  readonly begin: () => void;
  readonly flush: () => void;
  readonly mailbox: GuestMailbox;
}

/**
 * Calls the function and turns its result into bytes (protocol.md 7.3). Runs inside the isolate, from its own source
 * text: refers to nothing outside its body, and takes what it calls before the function's code runs.
 */
export function guestRunner({ inspect, begin, flush, mailbox }: GuestRunnerParts): GuestRunner {
  const MAX_MESSAGE = 1024;
  const MAX_STACK = 8192;
  const { stringify } = JSON;
  const { apply, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const Bytes = Uint8Array;
  const BufferOf = ArrayBuffer;
  const ErrorOf = Error;
  const text = String;
  const root = globalThis;
  const evaluate = root.eval;
  const getter = (prototype: object | null, name: PropertyKey): (() => unknown) => {
    const own = prototype === null ? undefined : getOwnPropertyDescriptor(prototype, name);
    return own?.get ?? (() => undefined);
  };
  const views = getPrototypeOf(Uint8Array.prototype);
  const viewType = getter(views, Symbol.toStringTag);
  const viewBuffer = getter(views, "buffer");
  const viewLength = getter(views, "byteLength");
  const bufferLength = getter(ArrayBuffer.prototype, "byteLength");
  const bufferResizable = getter(ArrayBuffer.prototype, "resizable");

  let target: ((...values: unknown[]) => unknown) | undefined;

  const messageOf = (error: unknown): string => {
    try {
      let message = typeof error === "string" ? error : "";
      if (message === "" && error instanceof ErrorOf) {
        const { name, message: reason } = error;
        message = text(reason) === "" ? text(name) : `${text(name)}: ${text(reason)}`;
      }
      if (message === "") message = inspect(error);
      return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}...` : message;
    } catch {
      return "the function threw a value that cannot be shown";
    }
  };

  /** The places of an error, for the host to read. */
  const stackOf = (error: unknown): string => {
    try {
      if (!(error instanceof ErrorOf)) return "";
      const { stack } = error;
      return typeof stack === "string" ? stack.slice(0, MAX_STACK) : "";
    } catch {
      return "";
    }
  };

  /** Exactly the bytes: a view into a larger buffer would take all of it along. */
  const exactly = (view: Uint8Array): Uint8Array => {
    const buffer = apply(viewBuffer, view, []);
    const whole = apply(viewLength, view, []) === apply(bufferLength, buffer, []);
    return whole && apply(bufferResizable, buffer, []) === false ? view : new Bytes(view);
  };

  const isBuffer = (value: object): value is ArrayBuffer => {
    try {
      if (!(value instanceof BufferOf)) return false;
      apply(bufferLength, value, []);
      return true;
    } catch {
      return false;
    }
  };

  const reply = (value: unknown): RunnerReply => {
    if (value === undefined) return undefined;
    try {
      if (typeof value === "object" && value !== null) {
        if (apply(viewType, value, []) === "Uint8Array") return exactly(value as Uint8Array);
        if (isBuffer(value)) return new Bytes(new Bytes(value));
      }
      const json: unknown = stringify(value);
      if (typeof json === "string") return json;
      const reason = typeof value === "object" ? "it has no JSON text" : `it is a ${typeof value}`;
      return ["unserializable-result", `result cannot be serialized: ${reason}`];
    } catch (error) {
      return ["unserializable-result", `result cannot be serialized: ${messageOf(error)}`, stackOf(error)];
    }
  };

  const explain = (error: unknown): RunnerReply => ["exception", messageOf(error), stackOf(error)];

  const awaited = async (value: unknown): Promise<RunnerReply> => {
    try {
      return reply(await value);
    } catch (error) {
      return explain(error);
    } finally {
      flush();
    }
  };

  const isThenable = (value: unknown): boolean =>
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";

  const invoke = (subject: string, payload: Uint8Array): RunnerReply | Promise<RunnerReply> => {
    if (target === undefined) return ["not-a-function", "the script has not been run"];
    begin();
    try {
      const value: unknown = apply(target, root, [subject, payload]);
      return isThenable(value) ? awaited(value) : reply(value);
    } catch (error) {
      return explain(error);
    } finally {
      flush();
    }
  };
  const { take, put } = mailbox;
  const { prototype: promises } = Promise;
  let pending: Promise<RunnerReply> | undefined;

  return {
    bind(source) {
      begin();
      try {
        const value: unknown = evaluate(source);
        if (typeof value !== "function") {
          return ["not-a-function", `the script's last value is not a function but ${typeof value}`];
        }
        target = value as typeof target;
        return undefined;
      } catch (error) {
        return explain(error);
      } finally {
        flush();
      }
    },
    invoke,
    explain,
    begin(subject, payload) {
      const result = invoke(subject, typeof payload === "number" ? take(payload) : payload);
      if (typeof result !== "object") return result;
      if (apply(viewType, result, []) === "Uint8Array") return put(result as Uint8Array);
      if (getPrototypeOf(result) !== promises) return result as RunnerReply;
      pending = result as Promise<RunnerReply>;
      return true;
    },
    takePending() {
      const taken = pending;
      pending = undefined;
      return taken;
    },
  };
}
