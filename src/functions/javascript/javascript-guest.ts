import { guestHostServices } from "../../host-services/guest/guest-host-services.ts";
import { createServiceBridge } from "../../host-services/guest/service-bridge.ts";
import type { FunctionFailure, FunctionLogLevel, FunctionSpec } from "../function.ts";
import { ownBytes } from "../guest.ts";
import type { Guest, GuestReply } from "../guest.ts";
import type { Isolate, IsolateEngine } from "../isolate-engine.ts";
import { guestConsole } from "./guest-console.ts";
import { guestContext } from "./guest-context.ts";
import { guestInspect } from "./guest-inspect.ts";
import { guestRunner } from "./guest-runner.ts";
import type { GuestRunner, RunnerReply } from "./guest-runner.ts";
import { compileScript, fileNameOf } from "./script.ts";

/** Guest code travels as the text of its functions, so it is type-checked here and survives bundling. */
const GUEST_SOURCE = `"use strict";
return (${String(guestContext)})({
  inspect: (${String(guestInspect)})(),
  createConsole: ${String(guestConsole)},
  createHostServices: ${String(guestHostServices)},
  createRunner: ${String(guestRunner)},
}, { log: $0, call: $1, environment: $2, fileName: $3, callsHost: $4 });`;

/** Names through which a function reaches the host; computed ones do not count and are refused. */
const CALLS_HOST = /\b(?:hostServices|fetch)\b/;

const LEVELS: ReadonlySet<string> = new Set<FunctionLogLevel>(["debug", "info", "warn", "error"]);
const encoder = new TextEncoder();

/**
 * Sets a JavaScript function up in a context of its own. The script itself runs with the first invocation, within
 * its time limit, and the context is kept until a timeout.
 *
 * @throws {NexError} `FUNCTION_INVALID` when the source does not compile
 */
export async function startJavaScriptGuest(
  engine: IsolateEngine,
  isolate: Isolate,
  spec: FunctionSpec,
): Promise<Guest> {
  const source = await compileScript(isolate, spec);
  const context = await isolate.createContext();
  const bridge = createServiceBridge(spec.hostServices);
  const log = new engine.Reference((batch: unknown) => writeBatch(spec, batch));
  const call = new engine.Reference(async (...values: unknown[]) => {
    const [service, method, target, body] = values;
    const reply = await bridge.call(service, method, target, body);
    if (typeof reply !== "object") return reply;
    return new engine.ExternalCopy(reply).copyInto({ release: true, transferIn: true });
  });
  const fileName = fileNameOf(spec.name);
  const callsHost = CALLS_HOST.test(source);
  const environment = new engine.ExternalCopy(Object.entries(spec.environment));
  const entry = await context.evalClosure(
    GUEST_SOURCE,
    [log, call, environment.copyInto({ release: true }), fileName, callsHost],
    { filename: "nex:guest", result: { reference: true } },
  );
  const bind = await entry.get("bind", { reference: true });
  const invoke = await entry.get("invoke", { reference: true });
  const begin = await entry.get("begin", { reference: true });
  const takePending = await entry.get("takePending", { reference: true });
  const flush = await entry.get("flush", { reference: true });
  entry.release();

  const run = {
    arguments: { copy: true },
    result: { copy: true, promise: true },
    timeout: spec.limits.timeoutMs,
  } as const;
  const runHere = {
    arguments: { copy: true },
    result: { copy: true },
    timeout: spec.limits.timeoutMs,
  } as const;
  const rest = { result: { copy: true, promise: true } } as const;
  let bound = false;
  const invokeHere = (subject: string, payload: Uint8Array): GuestReply | Promise<GuestReply> => {
    if (!bound) {
      const failed = bind.applySync(undefined, [source], runHere) as RunnerReply;
      if (failed !== undefined) return readReply(failed);
      bound = true;
    }
    const reply = begin.applySync(undefined, [subject, ownBytes(payload)], runHere) as RunnerReply | true;
    if (reply !== true) return readReply(reply);
    return (takePending.applySync(undefined, [], rest) as Promise<RunnerReply>).then(readReply);
  };
  return {
    invokeHere: callsHost ? undefined : invokeHere,
    async invoke(subject, payload) {
      if (!bound) {
        const failed = (await bind.apply(undefined, [source], run)) as RunnerReply;
        if (failed !== undefined) return readReply(failed);
        bound = true;
      }
      return readReply((await invoke.apply(undefined, [subject, ownBytes(payload)], run)) as RunnerReply);
    },
    prepare: () => {},
    abort: () => bridge.abort(),
    settle: async () => {
      await flush.apply(undefined, []);
    },
    release: () => {
      for (const reference of [bind, invoke, begin, takePending, flush, log, call, context])
        reference.release();
    },
  };
}

/** What the isolate hands back is not trusted to have any shape. */
function readReply(reply: Awaited<ReturnType<GuestRunner["invoke"]>>): GuestReply {
  if (reply === undefined) return { kind: "succeeded", body: new Uint8Array(0) };
  if (typeof reply === "string") return { kind: "succeeded", body: encoder.encode(reply) };
  if (reply instanceof Uint8Array) return { kind: "succeeded", body: reply };
  const [failure, message] = Array.isArray(reply) ? reply : [];
  return { kind: "failed", failure: FAILURES.get(String(failure)) ?? "exception", message: String(message) };
}

const FAILURES: ReadonlyMap<string, FunctionFailure> = new Map(
  (["exception", "not-a-function", "unserializable-result"] as const).map((failure) => [failure, failure]),
);

function writeBatch(spec: FunctionSpec, batch: unknown): void {
  if (!Array.isArray(batch)) return;
  for (let index = 0; index + 1 < batch.length; index += 2) {
    const level = String(batch[index]);
    if (LEVELS.has(level)) spec.log(level as FunctionLogLevel, String(batch[index + 1]));
  }
}
