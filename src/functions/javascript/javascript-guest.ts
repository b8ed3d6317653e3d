import type { FunctionFailure, FunctionSpec } from "../function.ts";
import type { Guest, GuestReply } from "../guest.ts";
import type { Isolate, IsolateEngine } from "../isolate-engine.ts";
import { createMailbox } from "../mailbox.ts";
import type { MainThread } from "../main-thread.ts";
import { createFailureText } from "./failure-text.ts";
import type { DescribeFailure } from "./failure-text.ts";
import type { HostWaits } from "./guest-context.ts";
import type { RunnerReply } from "./guest-runner.ts";
import { startJavaScriptContext } from "./javascript-context.ts";
import type { JavaScriptContext } from "./javascript-context.ts";
import { compileScript, fileNameOf } from "./script.ts";

/**
 * Where a function may wait for the host, if the main thread has to fetch the answers: `hostServices` other than
 * `hostServices.async`. Computed names do not count and are refused.
 */
const BLOCKS = /\bhostServices\b(?!\s*\.\s*async\b)/;

/** Errors of the engine; a function that words its own like these is treated like them. */
const ENGINE_ERROR = /^(?:Script |Isolate )/;
/** Where a stack leaves the isolate. */
const BOUNDARY = "at (<isolated-vm boundary>)";

const encoder = new TextEncoder();

/** What {@link startJavaScriptGuest} starts. */
export interface JavaScriptGuestOptions {
  readonly engine: IsolateEngine;
  readonly isolate: Isolate;
  readonly spec: FunctionSpec;
  readonly thread: MainThread;
}

/**
 * Sets a JavaScript function up in a context of its own, which is kept until a timeout; with `fresh`, until the end of
 * an invocation, and the next one is made while nobody waits.
 *
 * @throws {NexError} `FUNCTION_INVALID` when the source does not compile
 */
export async function startJavaScriptGuest(options: JavaScriptGuestOptions): Promise<Guest> {
  const { isolate, spec, thread } = options;
  const { source, map } = await compileScript(isolate, spec);
  const waits = waitsOf(spec, source);
  const describe = createFailureText(fileNameOf(spec.name), map);
  let aborted = false;
  const read = (reply: RunnerReply): GuestReply => {
    const { outcome, trace } = readReply(reply, describe);
    // After the answer, and after what the function has logged, which arrives a turn later. Not what comes of its own end.
    if (trace !== undefined && !aborted) setImmediate(() => setImmediate(() => spec.log("error", trace)));
    return outcome;
  };
  const mailbox = createMailbox();
  const contexts = createContexts(async () => startJavaScriptContext({ ...options, source, waits, mailbox }));
  await contexts.next();

  const invokeHere = (subject: string, payload: Uint8Array): GuestReply | Promise<GuestReply> => {
    const { ready } = contexts;
    if (ready === undefined) return invokeNext(subject, payload);
    try {
      const reply = ready.invokeHere(subject, payload);
      return reply instanceof Promise ? reply.catch(uncaught).then(read) : read(reply);
    } catch (error) {
      return read(uncaught(error));
    }
  };
  const invokeNext = async (subject: string, payload: Uint8Array): Promise<GuestReply> => {
    const context = await contexts.next();
    const run = async (): Promise<RunnerReply> => thread.run(() => context.invokeHere(subject, payload));
    return read(await run().catch(uncaught));
  };
  return {
    invokeHere: waits === "elsewhere" ? undefined : invokeHere,
    invoke: async (subject, payload) => {
      const context = await contexts.next();
      return read(await context.invoke(subject, payload).catch(uncaught));
    },
    prepare: () => {
      if (spec.fresh === true) contexts.renew();
    },
    abort: () => {
      aborted = true;
      contexts.ready?.abort();
    },
    settle: async () => contexts.ready?.settle(),
    release: () => contexts.release(),
  };
}

function waitsOf({ hostServices }: FunctionSpec, source: string): HostWaits {
  if (hostServices.callBlocking !== undefined) return "here";
  return BLOCKS.test(source) ? "elsewhere" : "never";
}

/** The context to run in: one after the other. */
interface Contexts {
  readonly ready: JavaScriptContext | undefined;
  /** Makes a context unless one is ready. */
  next(): Promise<JavaScriptContext>;
  /** The present context has been used: the next one is made in a moment. */
  renew(): void;
  release(): void;
}

function createContexts(make: () => Promise<JavaScriptContext>): Contexts {
  let ready: JavaScriptContext | undefined;
  let making: Promise<JavaScriptContext> | undefined;
  let soon: NodeJS.Immediate | undefined;
  let released = false;

  const next = async (): Promise<JavaScriptContext> => {
    clearImmediate(soon);
    if (ready !== undefined) return ready;
    making ??= make().finally(() => {
      making = undefined;
    });
    const made = await making;
    if (released) made.release();
    else ready = made;
    return made;
  };
  const makeAhead = (): void => {
    // The next invocation finds out what is wrong, and answers with it.
    next().catch(() => {});
  };
  return {
    get ready() {
      return ready;
    },
    next,
    renew: () => {
      ready?.release();
      ready = undefined;
      soon = setImmediate(makeAhead);
    },
    release: () => {
      released = true;
      clearImmediate(soon);
      ready?.release();
      ready = undefined;
    },
  };
}

/**
 * The failure of a function that left a rejected promise unhandled, which the engine reports like its own errors.
 *
 * @throws the engine's own errors
 */
function uncaught(error: unknown): RunnerReply {
  if (typeof error === "string") return ["exception", error];
  if (!(error instanceof Error) || ENGINE_ERROR.test(error.message)) throw error;
  const [stack = "", outside] = (error.stack ?? "").split(BOUNDARY);
  if (outside === undefined || !stack.includes("\n    at ")) throw error;
  return ["exception", `${error.name}: ${error.message}`, stack];
}

/** What the isolate hands back is not trusted to have any shape. */
function readReply(
  reply: RunnerReply,
  describe: DescribeFailure,
): { readonly outcome: GuestReply; readonly trace?: string | undefined } {
  if (reply === undefined) return succeeded(new Uint8Array(0));
  if (typeof reply === "string") return succeeded(encoder.encode(reply));
  if (reply instanceof Uint8Array) return succeeded(reply);
  const [kind, text, stack = ""]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  const { message, trace } = describe({ message: String(text), stack: String(stack) });
  const failure = FAILURES.get(String(kind)) ?? "exception";
  return { outcome: { kind: "failed", failure, message }, trace };
}

function succeeded(body: Uint8Array): { readonly outcome: GuestReply } {
  return { outcome: { kind: "succeeded", body } };
}

const FAILURES: ReadonlyMap<string, FunctionFailure> = new Map(
  (["exception", "not-a-function", "unserializable-result"] as const).map((failure) => [failure, failure]),
);
