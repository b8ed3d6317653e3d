import { randomBytes } from "node:crypto";
import { createMemoryBridge } from "../../host-services/guest/memory-bridge.ts";
import { errorText, NexError } from "../../lib/errors.ts";
import type { FunctionFailure, FunctionSpec } from "../function.ts";
import { ownBytes } from "../guest.ts";
import type { Guest, GuestReply } from "../guest.ts";
import type { Isolate, IsolateEngine } from "../isolate-engine.ts";
import { createMailbox } from "../mailbox.ts";
import type { MainThread } from "../main-thread.ts";
import { guestModule } from "./guest-module.ts";
import { guestNex } from "./guest-nex.ts";
import { guestWasi } from "./guest-wasi.ts";
import type { LimitedModule } from "./limit-memory.ts";
import { LineSplitter } from "../../lib/line-splitter.ts";

/** Guest code travels as the text of its functions, so it is type-checked here and survives bundling. */
const GUEST_SOURCE = `"use strict";
return (${String(guestModule)})({ createWasi: ${String(guestWasi)}, createNex: ${String(guestNex)} }, {
  bytes: new Uint8Array($0), environment: $1, writeError: $2, random: $3, call: $4, prepareAhead: $5, mailbox: $6,
});`;

const MAX_RANDOM = 65_536;

/**
 * Sets a WebAssembly module up in a context of its own: compiled once, a new instance per invocation, made ahead
 * while nobody waits. One that imports `nex` runs on a thread of its own, as its calls wait for the host.
 *
 * @throws {NexError} `FUNCTION_INVALID` when it does not compile or is no WASI preview 1 command
 */
export async function startWasmGuest(options: {
  readonly engine: IsolateEngine;
  readonly isolate: Isolate;
  readonly spec: FunctionSpec;
  readonly module: LimitedModule;
  readonly thread: MainThread;
}): Promise<Guest> {
  const { engine, isolate, spec, module, thread } = options;
  const context = await isolate.createContext();
  const stderr = new LineSplitter((line) => spec.log("error", line));
  const writeError = new engine.Reference((bytes: unknown, final: unknown) => {
    if (bytes instanceof Uint8Array) stderr.push(bytes);
    if (final === true) stderr.end();
  });
  const random = new engine.Reference((length: unknown) => {
    const bytes = new Uint8Array(randomBytes(Math.min(MAX_RANDOM, Number(length))));
    return new engine.ExternalCopy(bytes).copyInto({ release: true, transferIn: true });
  });
  const mailbox = createMailbox();
  const bridge = createMemoryBridge(spec.hostServices);
  const call = new engine.Reference(async (...values: unknown[]) => {
    const [service, method, target, body, headers, manualRedirect] = values;
    const reply = await bridge.call({ service, method, target, body, headers, manualRedirect });
    return reply && new engine.ExternalCopy(reply).copyInto({ release: true, transferIn: true });
  });
  const encoder = new TextEncoder();
  const environment = Object.entries(spec.environment).map(([name, value]) =>
    encoder.encode(`${name}=${value}`),
  );
  const entry = await context
    .evalClosure(
      GUEST_SOURCE,
      [
        new engine.ExternalCopy(ownBytes(module.bytes).buffer).copyInto({ release: true, transferIn: true }),
        new engine.ExternalCopy(environment).copyInto({ release: true, transferIn: true }),
        writeError,
        random,
        call,
        !module.hasStartFunction,
        new engine.ExternalCopy(mailbox.memory).copyInto({ release: true }),
      ],
      { filename: "nex:guest", result: { reference: true } },
    )
    .catch((error: unknown) => {
      throw invalidModule(errorText(error).replace("WebAssembly.Module(): ", ""), error);
    });
  const problem: unknown = await (await entry.get("problem", { reference: true })).apply(undefined, []);
  if (typeof problem === "string") throw invalidModule(problem);
  const callsHost = await entry.get("callsHost", { reference: true });
  const waits = (await callsHost.apply(undefined, [])) === true;
  const invoke = await entry.get("invoke", { reference: true });
  const prepare = await entry.get("prepare", { reference: true });
  const flush = await entry.get("flush", { reference: true });
  entry.release();

  const run = { arguments: { copy: true }, result: { copy: true }, timeout: spec.limits.timeoutMs } as const;
  // The main thread's own limit is `MainThread`'s.
  const runHere = { arguments: { copy: true }, result: { copy: true } } as const;
  const ahead = { timeout: spec.limits.timeoutMs };
  const given = (payload: Uint8Array): Uint8Array | number =>
    mailbox.put(payload) ? payload.length : ownBytes(payload);
  const received = (reply: unknown): GuestReply =>
    readReply(typeof reply === "number" ? mailbox.take(reply) : reply);
  const invokeHere = (subject: string, payload: Uint8Array): GuestReply =>
    received(invoke.applySync(undefined, [subject, given(payload)], runHere));
  const invokeThere = async (subject: string, payload: Uint8Array): Promise<GuestReply> =>
    received(await invoke.apply(undefined, [subject, given(payload)], run));
  let preparing: NodeJS.Immediate | undefined;
  const prepareHere = (): void => {
    preparing = undefined;
    try {
      thread.run(() => prepare.applySync(undefined, []));
    } catch {
      // The next invocation finds out what is wrong, and answers with it.
    }
  };
  const guest: Guest = {
    invoke: waits ? invokeThere : async (subject, payload) => invokeHere(subject, payload),
    invokeHere: waits ? undefined : invokeHere,
    prepare: () => {
      // In order with the invocations: this thread must not wait for one that waits for this thread.
      if (waits) prepare.applyIgnored(undefined, [], ahead);
      else preparing ??= setImmediate(prepareHere);
    },
    abort: () => bridge.abort(),
    settle: async () => {
      // An isolate that has ended says no more: what it began to say is all there is.
      await flush.apply(undefined, []).catch(() => stderr.end());
    },
    release: () => {
      clearImmediate(preparing);
      for (const reference of [invoke, prepare, flush, writeError, random, call, context])
        reference.release();
    },
  };
  guest.prepare();
  return guest;
}

/** The error of a module that is refused (protocol.md 7.5). */
export function invalidModule(problem: string, cause?: unknown): NexError {
  return new NexError({
    code: "FUNCTION_INVALID",
    message: `failed to compile module: ${problem}`,
    hint: "A WebAssembly function is a WASI preview 1 command, built for wasm32-wasip1 (also named wasm32-wasi)",
    cause,
  });
}

/** What the isolate hands back is not trusted to have any shape. */
function readReply(reply: unknown): GuestReply {
  if (reply instanceof Uint8Array) return { kind: "succeeded", body: reply };
  const [failure, message] = Array.isArray(reply) ? (reply as unknown[]) : [];
  return { kind: "failed", failure: FAILURES.get(String(failure)) ?? "trap", message: String(message) };
}

const FAILURES: ReadonlyMap<string, FunctionFailure> = new Map(
  (["trap", "exit-code", "out-of-memory"] as const).map((failure) => [failure, failure]),
);
