import type { FunctionSpec, LoadedFunction } from "./function.ts";

/** Type of a function workload, as the wire names it. */
export type FunctionType = "v8" | "wasm";

/**
 * Loads a function with the engine of its type; the engine itself is loaded only then, so that other agents don't
 * pay for it. One function per process.
 *
 * @throws {NexError} `FUNCTION_INVALID` with the text of protocol.md 7.3 or 7.5
 */
export async function loadFunction(type: FunctionType, spec: FunctionSpec): Promise<LoadedFunction> {
  switch (type) {
    case "v8": {
      const { loadJavaScriptFunction } = await import("./javascript/load-javascript-function.ts");
      return loadJavaScriptFunction(spec);
    }
    case "wasm": {
      const { loadWasmFunction } = await import("./wasm/load-wasm-function.ts");
      return loadWasmFunction(spec);
    }
    default:
      return type satisfies never;
  }
}

/** Loads what the functions of every type run in, so that the first one starts sooner. Takes memory. */
export async function preloadFunctionEngine(): Promise<void> {
  const { loadIsolateEngine } = await import("./isolate-engine.ts");
  await loadIsolateEngine();
}
