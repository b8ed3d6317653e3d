import type { TextStream } from "./output.ts";
import { textWidth } from "./text-width.ts";

/** A line of a terminal whose text changes in place. Dispose clears it. */
export interface RedrawnLine extends Disposable {
  readonly draw: (text: string) => void;
  readonly clear: () => void;
}

/** Nothing is written before the first `draw`. */
export function startRedrawnLine(stream: TextStream): RedrawnLine {
  let width = 0;
  const draw = (text: string): void => {
    stream.write(`\r${text}${" ".repeat(Math.max(0, width - textWidth(text)))}`);
    width = textWidth(text);
  };
  const clear = (): void => {
    if (width === 0) return;
    draw("");
    stream.write("\r");
  };
  return { draw, clear, [Symbol.dispose]: clear };
}
