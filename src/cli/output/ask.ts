import { createInterface } from "node:readline";
import type { TextStream } from "./output.ts";

/** Where answers come from: `process.stdin`. */
export type AnswerStream = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** Reads answers line by line, nothing before the first question; dispose lets go of the stream. */
export interface Questions extends Disposable {
  /** Asks, and gives the next line; undefined when there is none any more. */
  ask(question: string): Promise<string | undefined>;
}

/** Questions on `output`, answered on `input`. */
export function startQuestions(input: AnswerStream, output: TextStream, signal: AbortSignal): Questions {
  let reader: ReturnType<typeof createInterface> | undefined;
  let lines: AsyncIterator<string> | undefined;
  const close = (): void => reader?.close();
  signal.addEventListener("abort", close, { once: true });
  return {
    ask: async (question) => {
      signal.throwIfAborted();
      reader ??= createInterface({ input, terminal: false });
      lines ??= reader[Symbol.asyncIterator]();
      output.write(question);
      const next = await lines.next();
      // Nobody has pressed Enter.
      if (input.isTTY !== true || next.done === true) output.write("\n");
      signal.throwIfAborted();
      return next.done === true ? undefined : next.value;
    },
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", close);
      close();
    },
  };
}
