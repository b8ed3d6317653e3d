import { errorText, NexError } from "../../lib/errors.ts";
import type { FunctionSpec } from "../function.ts";
import type { Isolate } from "../isolate-engine.ts";

/** Largest source of a JavaScript function in bytes (protocol.md 7.3). */
const MAX_SOURCE_BYTES = 12_288;

/** Makes an expression of a script that starts with `function`, which alone is no statement without a name. */
const EXPRESSION = "0,";

/**
 * Checks that a source compiles and returns the text to evaluate: the script itself, or, for a bare
 * `function (subject, payload) {}`, an expression with that value.
 *
 * @throws {NexError} `FUNCTION_INVALID` with the engine's text and the place
 */
export async function compileScript(isolate: Isolate, spec: FunctionSpec): Promise<string> {
  const text = decodeSource(spec.source);
  const filename = fileNameOf(spec.name);
  const compile = async (source: string, columnOffset: number): Promise<string> => {
    const script = await isolate.compileScript(source, { filename, columnOffset });
    script.release();
    return `${source}\n//# sourceURL=${filename}`;
  };
  try {
    return await compile(text, 0);
  } catch (error) {
    return compile(EXPRESSION + text, -EXPRESSION.length).catch(() => {
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
export function checkSourceSize(source: Uint8Array): void {
  if (source.byteLength <= MAX_SOURCE_BYTES) return;
  throw invalid(`source file (${source.byteLength} bytes) exceeds maximum of ${MAX_SOURCE_BYTES} bytes`);
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
