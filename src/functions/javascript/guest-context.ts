import type { HostReference } from "../guest.ts";
import type { GuestCompute } from "./guest-compute.ts";
import type { GuestConsole } from "./guest-console.ts";
import type { Inspect } from "./guest-inspect.ts";
import type { GuestMailbox } from "./guest-mailbox.ts";
import type { GuestRunner, GuestRunnerParts, RunnerReply } from "./guest-runner.ts";
import type { GuestWays, GuestWeb } from "./guest-web.ts";

/** The other parts of the guest, each made from its own source text. */
export interface GuestParts {
  readonly inspect: Inspect;
  readonly createConsole: (inspect: Inspect, send: (batch: string[]) => void) => GuestConsole;
  readonly createWeb: (ways: GuestWays) => GuestWeb;
  readonly createMailbox: (memory: SharedArrayBuffer) => GuestMailbox;
  readonly createRunner: (parts: GuestRunnerParts) => GuestRunner;
}

/** What the host brings along. */
export interface GuestHost {
  readonly log: HostReference;
  /** A host service call that the function waits for. A number stands for so many bytes in the mailbox. */
  readonly call: HostReference;
  /** One that it does not wait for. */
  readonly send: HostReference;
  readonly compute: HostReference;
  readonly wake: HostReference;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly waits: HostWaits;
  /** Names in the function's source: globals of these names are made before it runs. */
  readonly mentioned: ReadonlySet<string>;
  readonly mailbox: SharedArrayBuffer;
}

/**
 * How the function waits for host services: on its thread, while another one fetches the answers; on the thread that
 * fetches them itself; or not at all.
 */
export type HostWaits = "elsewhere" | "here" | "never";

/** What the host gets back. */
export interface GuestEntry extends GuestRunner {
  readonly flush: () => void;
  /**
   * Brings in answers of calls, as numbers and replies, and runs one timer that is due. Answers the milliseconds until
   * the next timer, -1 for none, or the failure of a callback, which ends the invocation.
   */
  readonly deliver: (answers: readonly (readonly [id: number, reply: unknown])[], due: boolean) => GuestNext;
}

/** What {@link GuestEntry.deliver} answers. */
export type GuestNext = number | RunnerReply;

/**
 * Sets up the global object before the function's script runs. Runs inside the isolate, from its own source text:
 * refers to nothing outside its body. References into the host stay in its closures, and option objects have no
 * prototype, so that nothing the function does to built-ins reaches them.
 */
export function guestContext(parts: GuestParts, host: GuestHost): GuestEntry {
  const copied = { __proto__: null, copy: true };
  const options = { __proto__: null, arguments: copied };
  const { log, call, send, compute, wake, waits } = host;
  const { defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
  const mailbox = parts.createMailbox(host.mailbox);
  const root = globalThis as unknown as Record<string, unknown>;
  let failure: unknown;
  let failed = false;

  const output = parts.createConsole(parts.inspect, (batch) => log.applyIgnored(undefined, [batch], options));
  const { begin, flush } = output;
  const wakeIn = (milliseconds: number): void => wake.applyIgnored(undefined, [milliseconds], options);
  const { globals, lateGlobals, hostServices, calls, timers } = parts.createWeb({
    compute: ((operation: string, first: unknown, second: unknown) => {
      const values = [operation, first, second];
      return waits === "elsewhere"
        ? compute.applySyncPromise(undefined, values, options)
        : compute.applySync(undefined, values, options);
    }) as GuestCompute,
    call: ({ service, method, target, body }) => {
      flush();
      if (waits === "never")
        throw new TypeError(
          "host services that answer at once are for functions whose source says hostServices; use hostServices.async",
        );
      const values = [service, method, target, body];
      if (waits === "elsewhere") return call.applySyncPromise(undefined, values, options);
      // Reading the options costs as much as passing what needs none.
      const reply =
        typeof body === "object"
          ? call.applySync(undefined, values, options)
          : call.applySync(undefined, values);
      return typeof reply === "number" ? mailbox.take(reply) : reply;
    },
    send: (outgoing) => {
      flush();
      send.applyIgnored(undefined, outgoing, options);
    },
    wakeIn,
    uncaught: (error) => {
      if (failed) return;
      failed = true;
      failure = error;
      wakeIn(0);
    },
  });
  const env: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of host.environment) env[name] = value;

  Object.assign(root["console"] as object, output.methods);
  const install = (name: string, value: object | undefined): void => {
    if (typeof value === "function") defineProperty(value, "name", { __proto__: null, value: name } as never);
    replace(name, value);
  };
  const replace = (name: string, value: unknown): void => {
    const own = { __proto__: null, value, enumerable: isLower(name), writable: true, configurable: true };
    defineProperty(root, name, own as never);
  };
  const isLower = (name: string): boolean => name[0] !== undefined && name[0] >= "a";
  for (const name of ownKeys(globals) as string[]) install(name, globals[name]);
  for (const [names, make] of lateGlobals) {
    const installAll = (): void => {
      const made = make();
      for (let index = 0; index < names.length; index++) {
        const name = names[index] as string;
        const present = getOwnPropertyDescriptor(root, name);
        // What the function has put there stays.
        if (present?.get !== undefined && present.get === getters[name]) install(name, made[name]);
      }
    };
    const getters = { __proto__: null } as unknown as Record<string, () => unknown>;
    for (const name of names) {
      getters[name] = () => {
        installAll();
        return root[name];
      };
      defineProperty(root, name, {
        get: getters[name],
        set: (value) => replace(name, value),
        enumerable: isLower(name),
        configurable: true,
      });
    }
    if (names.some((name) => host.mentioned.has(name))) installAll();
  }
  defineProperty(root, "env", { value: Object.freeze(env), enumerable: true });
  defineProperty(root, "hostServices", { value: hostServices, enumerable: true });
  // Code of the function must not run outside an invocation, nor take memory that no limit counts.
  for (const name of ["WebAssembly", "SharedArrayBuffer", "Atomics", "FinalizationRegistry"])
    delete root[name];

  const runner = parts.createRunner({
    inspect: parts.inspect,
    begin: () => {
      failed = false;
      begin();
      calls.reset();
      timers.reset();
    },
    flush,
    mailbox,
  });
  const { answer } = calls;
  const { fire } = timers;
  const { explain } = runner;
  return {
    ...runner,
    flush,
    deliver: (answers, due) => {
      for (let index = 0; index < answers.length; index++) {
        const arrived = answers[index];
        if (arrived !== undefined) answer(arrived[0], arrived[1]);
      }
      const next = due ? fire() : -1;
      flush();
      if (!failed) return next;
      failed = false;
      return explain(failure);
    },
  };
}
