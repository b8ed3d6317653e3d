import type { TextStream } from "./output.ts";
import { startRedrawnLine } from "./redrawn-line.ts";

/** A line on a terminal that shows how far something is. Invisible where stderr is no terminal. */
export interface ProgressLine extends Disposable {
  show(doneBytes: number, totalBytes: number): void;
}

/** Short work is over before anything is shown. */
const QUIET_MS = 500;
const REDRAW_MS = 100;
const MIB = 1024 * 1024;

/** Starts a progress line; dispose clears it. */
export function startProgressLine(stream: TextStream, title: string): ProgressLine {
  const startedAt = performance.now();
  let drawnAt = 0;
  const line = startRedrawnLine(stream);
  return {
    show: (doneBytes, totalBytes) => {
      const now = performance.now();
      if (stream.isTTY !== true || now - startedAt < QUIET_MS || now - drawnAt < REDRAW_MS) return;
      drawnAt = now;
      const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100);
      line.draw(`${title} ${percent}% (${mebibytes(doneBytes)} of ${mebibytes(totalBytes)} MiB)`);
    },
    [Symbol.dispose]: line.clear,
  };
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
