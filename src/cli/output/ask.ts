import { createInterface } from "node:readline";
import type { TextStream } from "./output.ts";

/** Where answers come from: `process.stdin`. */
export type AnswerStream = NodeJS.ReadableStream;

/** Reads answers line by line; dispose lets go of the stream. */
export interface Questions extends Disposable {
  /** Asks, and gives the next line; undefined when there is none any more. */
  ask(question: string): Promise<string | undefined>;
}

/** Questions on `output`, answered on `input`. */
export function startQuestions(input: AnswerStream, output: TextStream, signal: AbortSignal): Questions {
  const reader = createInterface({ input, terminal: false });
  const lines = reader[Symbol.asyncIterator]();
  const close = (): void => reader.close();
  signal.addEventListener("abort", close, { once: true });
  return {
    ask: async (question) => {
      output.write(question);
      const next = await lines.next();
      signal.throwIfAborted();
      return next.done === true ? undefined : next.value;
    },
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", close);
      reader.close();
    },
  };
}
