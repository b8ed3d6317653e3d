import assert from "node:assert/strict";
import { after } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { FunctionLimits, InvocationOutcome, LoadedFunction } from "../../src/functions/function.ts";
import { loadFunction } from "../../src/functions/load-function.ts";
import type { FunctionType } from "../../src/functions/load-function.ts";
import type {
  HostServiceCall,
  HostServiceResult,
  HostServices,
} from "../../src/host-services/guest/host-services.ts";

/** What to load; the rest has defaults that fit tests. */
export interface TestFunctionOptions {
  readonly type?: FunctionType;
  readonly source: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly limits?: Partial<FunctionLimits>;
  readonly hostServices?: HostServices;
  readonly fresh?: boolean;
}

/** A loaded function that remembers what it logged. */
export interface TestFunction extends LoadedFunction {
  /** Level and text of each line. */
  readonly lines: (readonly [level: string, text: string])[];
}

/**
 * Many isolates in one process: one that is collected while the process exits can abort it (seen under load, an assertion of
 * the engine), so they go before.
 */
after(async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await nextTurn();
  }
});

/** Loads a function named `echojs`; `onFatal` fails the process loudly. */
export async function loadTestFunction(options: TestFunctionOptions): Promise<TestFunction> {
  const lines: [string, string][] = [];
  const { source } = options;
  const loaded = await loadFunction(options.type ?? "v8", {
    name: "echojs",
    source: typeof source === "string" ? Buffer.from(source) : source,
    environment: options.environment ?? {},
    limits: { timeoutMs: 5000, memoryMiB: 64, ...options.limits },
    hostServices: options.hostServices ?? noHostServices,
    fresh: options.fresh ?? false,
    log: (level, text) => lines.push([level, text]),
    onFatal: (reason) => {
      throw new Error(`unexpected end of the function: ${reason}`);
    },
  });
  return {
    lines,
    invoke: async (subject, payload) => loaded.invoke(subject, payload),
    [Symbol.asyncDispose]: async () => loaded[Symbol.asyncDispose](),
  };
}

/** Runs a function once and returns the text it answers. */
export async function answer(
  source: string,
  options: Omit<TestFunctionOptions, "source"> = {},
): Promise<string> {
  return bodyText(await run(source, options));
}

/** Runs a function once, on the subject `test.subject` with an empty payload. */
export async function run(
  source: string,
  options: Omit<TestFunctionOptions, "source"> = {},
): Promise<InvocationOutcome> {
  await using loaded = await loadTestFunction({ source, ...options });
  return await loaded.invoke("test.subject", new Uint8Array(0));
}

/** The text of a success; anything else is a failed assertion. */
export function bodyText(outcome: InvocationOutcome): string {
  return Buffer.from(bodyOf(outcome)).toString();
}

/** The bytes of a success; anything else is a failed assertion. */
export function bodyOf(outcome: InvocationOutcome): Uint8Array {
  assert.ok(outcome.kind === "succeeded", JSON.stringify(outcome));
  return outcome.body;
}

/** What a failure says; a success is a failed assertion. */
export function failureOf(outcome: InvocationOutcome): readonly [failure: string, message: string] {
  assert.ok(outcome.kind === "failed", "the invocation succeeded");
  return [outcome.failure, outcome.message];
}

/** Host services that answer from `handle` and remember the calls. */
export function recordingHostServices(
  handle: (call: HostServiceCall) => Partial<HostServiceResult> | Promise<Partial<HostServiceResult>>,
): HostServices & { readonly calls: HostServiceCall[] } {
  const calls: HostServiceCall[] = [];
  return {
    calls,
    call: async (call) => {
      calls.push(call);
      return { code: 200, message: "OK", body: new Uint8Array(0), ...(await handle(call)) };
    },
  };
}

const noHostServices: HostServices = {
  call: async ({ service }) => ({
    code: 404,
    message: `No such host service: ${service}`,
    body: new Uint8Array(0),
  }),
};
