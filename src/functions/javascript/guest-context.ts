import type { GuestHostServices, GuestServiceCall } from "../../host-services/guest/guest-host-services.ts";
import type { HostReference } from "../guest.ts";
import type { GuestConsole } from "./guest-console.ts";
import type { Inspect } from "./guest-inspect.ts";
import type { GuestRunner, GuestRunnerParts } from "./guest-runner.ts";

/** The other parts of the guest, each made from its own source text. */
export interface GuestParts {
  readonly inspect: Inspect;
  readonly createConsole: (inspect: Inspect, send: (batch: string[]) => void) => GuestConsole;
  readonly createHostServices: (call: GuestServiceCall) => GuestHostServices;
  readonly createRunner: (parts: GuestRunnerParts) => GuestRunner;
}

/** What the host brings along. */
export interface GuestHost {
  readonly log: HostReference;
  readonly call: HostReference;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly fileName: string;
  /** Whether the function may call host services: not when it runs on a thread that could not answer. */
  readonly callsHost: boolean;
}

/** What the host gets back. */
export interface GuestEntry extends GuestRunner {
  readonly flush: () => void;
}

/**
 * Sets up the global object before the function's script runs. Runs inside the isolate, from its own source text:
 * refers to nothing outside its body. References into the host stay in its closures, and option objects have no
 * prototype, so that nothing the function does to built-ins reaches them.
 */
export function guestContext(parts: GuestParts, host: GuestHost): GuestEntry {
  const options = { __proto__: null, arguments: { __proto__: null, copy: true } };
  const { log, call } = host;
  const root = globalThis as unknown as Record<string, unknown>;
  const output = parts.createConsole(parts.inspect, (batch) => log.applyIgnored(undefined, [batch], options));
  const hostServices = parts.createHostServices((service, method, target, body) => {
    output.flush();
    if (!host.callsHost)
      throw new TypeError("host services are for functions whose source says hostServices");
    return call.applySyncPromise(undefined, [service, method, target, body], options);
  });
  const env: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of host.environment) env[name] = value;

  Object.assign(root["console"] as object, output.methods);
  const define = (name: string, value: object): void => {
    Object.defineProperty(root, name, { value, enumerable: true });
  };
  define("env", Object.freeze(env));
  define("hostServices", hostServices);
  // Code of the function must not run outside an invocation, nor take memory that no limit counts.
  for (const name of ["WebAssembly", "SharedArrayBuffer", "Atomics", "FinalizationRegistry"])
    delete root[name];

  const { begin, flush } = output;
  const runner = parts.createRunner({
    inspect: parts.inspect,
    begin,
    flush,
    fileName: host.fileName,
  });
  return { ...runner, flush };
}
