import type { TextStream } from "./output.ts";
import { startRedrawnLine } from "./redrawn-line.ts";

/** Tells the steps of long work: on a terminal in one line that is drawn again, elsewhere in a line each. */
export interface StepLine extends Disposable {
  readonly show: (message: string, percent?: number) => void;
  /** Makes room for other output. */
  readonly clear: () => void;
}

/** Starts it on stderr; dispose clears the line. */
export function startStepLine(stream: TextStream): StepLine {
  const line = startRedrawnLine(stream);
  let said = "";
  return {
    show: (message, percent) => {
      if (stream.isTTY === true) line.draw(`… ${message}${percent === undefined ? "" : ` ${percent}%`}`);
      else if (message !== said) stream.write(`… ${message}\n`);
      said = message;
    },
    clear: line.clear,
    [Symbol.dispose]: line.clear,
  };
}
