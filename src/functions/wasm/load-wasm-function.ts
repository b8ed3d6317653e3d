import { errorText } from "../../lib/errors.ts";
import type { FunctionLoader, FunctionSpec } from "../function.ts";
import { startIsolatedFunction } from "../isolated-function.ts";
import { loadIsolateEngine } from "../isolate-engine.ts";
import { limitMemory } from "./limit-memory.ts";
import type { LimitedModule } from "./limit-memory.ts";
import { invalidModule, startWasmGuest } from "./wasm-guest.ts";

/** Heap of the isolate around the module: its compiled code, stdin and stdout. Linear memory is not in it. */
const HEAP_MIB = 192;

/**
 * Loads a WebAssembly function (protocol.md 7.5): a WASI preview 1 command. `memoryMiB` bounds its linear memory.
 *
 * @throws {NexError} `FUNCTION_INVALID` when the module does not compile, needs what functions don't get, or more
 *   memory than the limit
 */
export const loadWasmFunction: FunctionLoader = async (spec) => {
  const module = limited(spec);
  const engine = await loadIsolateEngine();
  return startIsolatedFunction({
    spec,
    engine,
    engineName: "wasm",
    heapMiB: HEAP_MIB,
    outsideHeapMiB: 2 * spec.limits.memoryMiB,
    startGuest: (isolate, thread) => startWasmGuest({ engine, isolate, spec, module, thread }),
  });
};

function limited(spec: FunctionSpec): LimitedModule {
  try {
    return limitMemory(spec.source, spec.limits.memoryMiB);
  } catch (error) {
    throw invalidModule(errorText(error), error);
  }
}
