import { errorText, NexError } from "../../lib/errors.ts";
import type { FunctionSpec } from "../function.ts";
import type { Isolate } from "../isolate-engine.ts";
import { splitSourceMap } from "./source-map.ts";

const DEFAULT_MAX_SOURCE_BYTES = 5 * 1024 * 1024;

/** Makes an expression of a script that starts with `function`, which alone is no statement without a name. */
const EXPRESSION = "0,";

/** A script that compiles. */
export interface CompiledScript {
  /** The text to evaluate. */
  readonly source: string;
  /** The source map that came with it, as JSON text. */
  readonly map: string | undefined;
}

/**
 * Checks that a source compiles and returns the text to evaluate: the script itself, or, for a bare
 * `function (subject, payload) {}`, an expression with that value. Its source map does not go into the isolate.
 *
 * @throws {NexError} `FUNCTION_INVALID` with the engine's text and the place
 */
export async function compileScript(isolate: Isolate, spec: FunctionSpec): Promise<CompiledScript> {
  const { code, map } = splitSourceMap(decodeSource(spec.source));
  const filename = fileNameOf(spec.name);
  const compile = async (source: string, columnOffset: number): Promise<CompiledScript> => {
    const script = await isolate.compileScript(source, { filename, columnOffset });
    script.release();
    return { source: `${source}\n//# sourceURL=${filename}`, map };
  };
  try {
    return await compile(code, 0);
  } catch (error) {
    return compile(EXPRESSION + code, -EXPRESSION.length).catch(() => {
      throw invalid(
        `failed to compile source for execution: ${errorText(error).replace("file:///", "")}`,
        error,
      );
    });
  }
}

/**
 * Checks the size of a source (protocol.md 7.3).
 *
 * @throws {NexError} `FUNCTION_INVALID`
 */
export function checkSourceSize({ source, limits }: Pick<FunctionSpec, "source" | "limits">): void {
  const { maxSourceBytes = DEFAULT_MAX_SOURCE_BYTES } = limits;
  if (source.byteLength <= maxSourceBytes) return;
  throw invalid(`source file (${source.byteLength} bytes) exceeds maximum of ${maxSourceBytes} bytes`);
}

/** The name of a function's script in stack traces. */
export function fileNameOf(workloadName: string): string {
  return `file:///${encodeURIComponent(workloadName)}`;
}

function decodeSource(source: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(source);
  } catch (cause) {
    throw invalid("failed to compile source for execution: it is not UTF-8 text", cause);
  }
}

function invalid(message: string, cause?: unknown): NexError {
  return new NexError({
    code: "FUNCTION_INVALID",
    message,
    hint: "A JavaScript function is a script whose last value is a function: (subject, payload) => { … }",
    cause,
  });
}
