import { createServiceBridge } from "../../host-services/guest/service-bridge.ts";
import type { BridgeReply, ServiceBridge } from "../../host-services/guest/service-bridge.ts";
import type { FunctionLogLevel, FunctionSpec } from "../function.ts";
import { ownBytes } from "../guest.ts";
import type { Isolate, IsolateEngine } from "../isolate-engine.ts";
import type { Mailbox } from "../mailbox.ts";
import type { MainThread } from "../main-thread.ts";
import { createEventLoop } from "./event-loop.ts";
import type { GuestEntry, GuestNext, HostWaits } from "./guest-context.ts";
import type { RunnerReply } from "./guest-runner.ts";
import { GUEST_SOURCE, LATE_SOURCES } from "./guest-source.ts";
import { hostCompute } from "./host-compute.ts";

/** What all contexts of one function share. */
export interface ContextOptions {
  readonly engine: IsolateEngine;
  readonly isolate: Isolate;
  readonly spec: FunctionSpec;
  /** The function's script, ready to be evaluated. */
  readonly source: string;
  readonly waits: HostWaits;
  readonly thread: MainThread;
  readonly mailbox: Mailbox;
}

/** One context with the function in it. The script itself runs with the first invocation, within its time limit. */
export interface JavaScriptContext {
  /** Runs the function on a thread of its own. */
  invoke(subject: string, payload: Uint8Array): Promise<RunnerReply>;
  /** Runs its first turn on this thread, and later ones if it is asynchronous. */
  invokeHere(subject: string, payload: Uint8Array): RunnerReply | Promise<RunnerReply>;
  abort(): void;
  settle(): Promise<void>;
  release(): void;
}

/** Globals that are made late, wherever a source names them. */
const WORD =
  /\b(?:DOMException|Text(?:En|De)coder|atob|btoa|URL(?:SearchParams)?|structuredClone|crypto|Headers|Request|Response|fetch)\b/g;
const LEVELS: ReadonlySet<string> = new Set<FunctionLogLevel>(["debug", "info", "warn", "error"]);

/** Creates a context and sets the guest up in it. */
export async function startJavaScriptContext(options: ContextOptions): Promise<JavaScriptContext> {
  const { engine, isolate, spec, source, waits, thread, mailbox } = options;
  const context = await isolate.createContext();
  const bridge = createServiceBridge(spec.hostServices);
  const host = hostReferences(options, bridge);
  const { send, wake } = host;
  const copy = (value: object) => new engine.ExternalCopy(value).copyInto({ release: true });
  const environment = copy(Object.entries(spec.environment));
  const mentioned = copy(new Set(source.match(WORD)));
  const entry = await context.evalClosure(
    GUEST_SOURCE,
    [
      host.log,
      host.call,
      send,
      host.compute,
      wake,
      environment,
      waits,
      copy(LATE_SOURCES),
      mentioned,
      copy(mailbox.memory),
    ],
    { filename: "nex:guest", result: { reference: true } },
  );
  const method = (name: keyof GuestEntry) => entry.getSync(name, { reference: true });
  const bind = method("bind");
  const invoke = method("invoke");
  const begin = method("begin");
  const takePending = method("takePending");
  const deliver = method("deliver");
  const flush = method("flush");
  entry.release();

  const { timeoutMs } = spec.limits;
  const run = {
    arguments: { copy: true },
    result: { copy: true, promise: true },
    timeout: timeoutMs,
  } as const;
  // The main thread's own limit is `MainThread`'s.
  const quickTurn = { result: { copy: true } } as const;
  const largeTurn = { arguments: { copy: true }, result: { copy: true } } as const;
  const turn = { arguments: { copy: true }, result: { copy: true }, timeout: timeoutMs } as const;
  const rest = { result: { copy: true, promise: true } } as const;
  let startedAt = 0;
  let bound = false;

  const loop = createEventLoop((answers, due) => {
    const timeout = Math.max(1, Math.floor(timeoutMs - (performance.now() - startedAt)));
    if (waits === "elsewhere")
      return deliver.apply(undefined, [answers, due], { ...turn, timeout }) as Promise<GuestNext>;
    return thread.run(() => deliver.applySync(undefined, [answers, due], { ...turn, timeout }) as GuestNext);
  });
  host.receive(loop);

  /** The result of an invocation, unless a later turn of it fails. */
  const finish = async (begun: Promise<RunnerReply>, stopped: Promise<RunnerReply>): Promise<RunnerReply> => {
    try {
      return await Promise.race([begun, stopped]);
    } finally {
      loop.end();
    }
  };
  const start = (): Promise<RunnerReply> => {
    const { promise, resolve, reject } = Promise.withResolvers<RunnerReply>();
    loop.begin({ failed: resolve, broken: reject });
    return promise;
  };

  return {
    async invoke(subject, payload) {
      startedAt = performance.now();
      if (!bound) {
        const failed = (await bind.apply(undefined, [source], run)) as RunnerReply;
        if (failed !== undefined) return failed;
        bound = true;
      }
      const stopped = start();
      return finish(
        invoke.apply(undefined, [subject, ownBytes(payload)], run) as Promise<RunnerReply>,
        stopped,
      );
    },
    invokeHere(subject, payload) {
      startedAt = performance.now();
      if (!bound) {
        const failed = bind.applySync(undefined, [source], turn) as RunnerReply;
        if (failed !== undefined) return failed;
        bound = true;
      }
      const reply = (
        mailbox.put(payload)
          ? begin.applySync(undefined, [subject, payload.length], quickTurn)
          : begin.applySync(undefined, [subject, ownBytes(payload)], largeTurn)
      ) as RunnerReply | number | true;
      if (typeof reply === "number") return mailbox.take(reply);
      if (reply !== true) return reply;
      return finish(takePending.applySync(undefined, [], rest) as Promise<RunnerReply>, start());
    },
    abort: () => {
      loop.end();
      bridge.abort();
    },
    settle: async () => {
      await flush.apply(undefined, []);
    },
    release: () => {
      loop.end();
      for (const reference of [bind, invoke, begin, takePending, deliver, flush, ...host.all, context])
        reference.release();
    },
  };
}

/** The ways out of the isolate, as references; what comes through them is not trusted to have any shape. */
function hostReferences({ engine, spec, thread, mailbox }: ContextOptions, bridge: ServiceBridge) {
  let loop: Pick<ReturnType<typeof createEventLoop>, "answered" | "wakeIn"> | undefined;
  const bytes = (value: object) =>
    new engine.ExternalCopy(value).copyInto({ release: true, transferIn: true });
  const log = new engine.Reference((batch: unknown) => writeBatch(spec, batch));
  const given = (reply: BridgeReply) => (typeof reply === "object" ? bytes(reply) : reply);
  const { callBlocking } = bridge;
  const call = new engine.Reference(
    callBlocking === undefined
      ? async (...values: unknown[]) => {
          const [service, method, target, body] = values;
          return given(await bridge.call({ service, method, target, body }));
        }
      : (...values: unknown[]) => {
          const [service, method, target, body] = values;
          const reply = thread.wait((leftMs) => callBlocking({ service, method, target, body }, leftMs));
          return reply instanceof Uint8Array && mailbox.put(reply) ? reply.length : given(reply);
        },
  );
  const send = new engine.Reference((...values: unknown[]) => {
    const [id, service, method, target, body, headers, redirect] = values;
    const answered = (reply: BridgeReply): void => loop?.answered(Number(id), reply);
    void bridge.call({ service, method, target, body, headers, redirect }).then(answered);
  });
  const compute = new engine.Reference((operation: unknown, first: unknown, second: unknown) => {
    const result = hostCompute(operation, first, second);
    return typeof result === "object" ? bytes(result) : result;
  });
  const wake = new engine.Reference((milliseconds: unknown) => loop?.wakeIn(Number(milliseconds)));
  return {
    log,
    call,
    send,
    compute,
    wake,
    all: [log, call, send, compute, wake],
    receive: (receiver: typeof loop) => {
      loop = receiver;
    },
  };
}

function writeBatch(spec: FunctionSpec, batch: unknown): void {
  if (!Array.isArray(batch)) return;
  for (let index = 0; index + 1 < batch.length; index += 2) {
    const level = String(batch[index]);
    if (LEVELS.has(level)) spec.log(level as FunctionLogLevel, String(batch[index + 1]));
  }
}
