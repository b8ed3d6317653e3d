import { findSources } from "./source-map.ts";
import type { Place } from "./source-map.ts";

/** A failure as the code inside the isolate reports it. Neither text is trusted. */
export interface ThrownFailure {
  readonly message: string;
  /** As the engine wrote it; empty when something was thrown that has none. */
  readonly stack: string;
}

/** A failure as people read it. */
export interface FailureText {
  /** For the caller: the message and the place of the first frame in the function, `Error: no (hello.ts:3:9)`. */
  readonly message: string;
  /** For the log: the message and the frames that lie in the function, one per line; undefined without such frames. */
  readonly trace: string | undefined;
}

/** Words failures of one function. */
export type DescribeFailure = (failure: ThrownFailure) => FailureText;

/** What the engine calls functions without a name. */
const EVALUATED = / eval \(([^()]*)\)$/;
const MAX_FRAMES = 20;
const MAX_KNOWN = 500;

/**
 * Makes the texts for a script of the given name in stacks; `map` is its source map. The same place is looked up once.
 */
export function createFailureText(fileName: string, map: string | undefined): DescribeFailure {
  const pattern = new RegExp(`${fileName.replaceAll(/[^\w/:]/g, String.raw`\$&`)}:(\\d+):(\\d+)`, "g");
  const shownName = fileName.slice(fileName.lastIndexOf("/") + 1);
  const known = new Map<string, string>();

  const learn = (lines: readonly string[]): void => {
    const places = new Map<string, Place>();
    for (const line of lines) {
      for (const [text, lineNumber, column] of line.matchAll(pattern)) {
        if (!known.has(text)) places.set(text, { line: Number(lineNumber), column: Number(column) });
      }
    }
    if (places.size === 0) return;
    if (known.size > MAX_KNOWN) known.clear();
    const found = map === undefined ? [] : findSources(map, [...places.values()]);
    [...places].forEach(([text, { line, column }], index) => {
      const source = found[index] ?? { file: shownName, line, column };
      known.set(text, `${source.file}:${source.line}:${source.column}`);
    });
  };

  return ({ message, stack }) => {
    const frames = stack.split("\n").filter((line) => /^\s+at /.test(line) && line.search(pattern) >= 0);
    if (frames.length > MAX_FRAMES) frames.length = MAX_FRAMES;
    const [first] = frames;
    if (first === undefined) return { message, trace: undefined };
    learn(frames);
    const mapped = (text: string): string => known.get(text) ?? text;
    const [place = ""] = first.match(pattern) ?? [];
    return {
      message: `${message} (${mapped(place)})`,
      trace: [
        message,
        ...frames.map((line) => line.replaceAll(pattern, mapped).replace(EVALUATED, " $1")),
      ].join("\n"),
    };
  };
}
