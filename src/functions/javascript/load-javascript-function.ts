import type { FunctionLoader } from "../function.ts";
import { startIsolatedFunction } from "../isolated-function.ts";
import { disableTopTier, loadIsolateEngine } from "../isolate-engine.ts";
import { startJavaScriptGuest } from "./javascript-guest.ts";
import { checkSourceSize } from "./script.ts";

/**
 * Loads a JavaScript function (protocol.md 7.2): a script whose completion value is the function.
 *
 * @throws {NexError} `FUNCTION_INVALID` when the source is too large or does not compile
 */
export const loadJavaScriptFunction: FunctionLoader = async (spec) => {
  checkSourceSize(spec);
  disableTopTier();
  const engine = await loadIsolateEngine();
  return startIsolatedFunction({
    spec,
    engine,
    engineName: "v8",
    heapMiB: spec.limits.memoryMiB,
    outsideHeapMiB: 0,
    startGuest: (isolate, thread) => startJavaScriptGuest({ engine, isolate, spec, thread }),
  });
};
