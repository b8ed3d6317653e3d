import type { SandboxOutput } from "./sandbox.ts";

/** Output of one sandbox that was limited in size. */
export interface LimitedOutput {
  /** Hands a line on, or leaves it out. */
  readonly take: (output: SandboxOutput) => void;
  /** The last lines of stderr, oldest first. */
  readonly lastWords: () => readonly string[];
}

const MAX_LINES = 500;
const PER_MS = 10_000;
const MAX_LENGTH = 1024;
const LAST_WORDS = 3;

/**
 * Limits what a guest or its monitor can make its node log: 500 lines of each stream in ten seconds, each cut at 1024
 * characters. The first line after a gap is preceded by one that says how many were left out.
 */
export function limitOutput(
  onOutput: (output: SandboxOutput) => void,
  now: () => number = () => performance.now(),
): LimitedOutput {
  const spans = {
    stdout: { since: -Infinity, taken: 0, omitted: 0 },
    stderr: { since: -Infinity, taken: 0, omitted: 0 },
  };
  const words: string[] = [];
  return {
    take: ({ stream, line: whole }) => {
      const line = whole.length > MAX_LENGTH ? `${whole.slice(0, MAX_LENGTH)}…` : whole;
      if (stream === "stderr" && line.trim() !== "") {
        words.push(line);
        if (words.length > LAST_WORDS) words.shift();
      }
      const span = spans[stream];
      const time = now();
      if (time - span.since >= PER_MS) Object.assign(span, { since: time, taken: 0 });
      if (span.taken >= MAX_LINES) {
        span.omitted += 1;
        return;
      }
      if (span.omitted > 0) onOutput({ stream, line: `${span.omitted} lines of output were left out` });
      span.omitted = 0;
      span.taken += 1;
      onOutput({ stream, line });
    },
    lastWords: () => [...words],
  };
}
