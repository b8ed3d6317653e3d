/**
 * Source maps of bundled functions: from places in the script that runs to places in the author's files. The map comes with
 * the artifact and is not trusted: it is read in one pass that keeps only what was asked for.
 */

/** A place as stacks name it: line and column count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A place in one of the author's files. */
export interface SourcePlace extends Place {
  /** As the map names it, usually relative to the folder of the function. */
  readonly file: string;
}

/** A script, and the source map that it carried. */
export interface MappedScript {
  readonly code: string;
  /** JSON text; undefined when there is none. */
  readonly map: string | undefined;
}

const COMMENT = "\n//# sourceMappingURL=data:application/json;base64,";
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGITS = new Map(Array.from(ALPHABET, (digit, value) => [digit.charCodeAt(0), value]));
const MAX_NAME = 256;

/** Takes an inline source map off the end of a script. What is no map of that form stays. */
export function splitSourceMap(text: string): MappedScript {
  const at = text.lastIndexOf(COMMENT);
  if (at < 0) return { code: text, map: undefined };
  const base64 = text.slice(at + COMMENT.length).trimEnd();
  if (!/^[A-Za-z0-9+/]+=*$/.test(base64)) return { code: text, map: undefined };
  return { code: text.slice(0, at + 1), map: Buffer.from(base64, "base64").toString("utf8") };
}

/**
 * Looks places up; undefined where the map has nothing for one. In the order of `places`. A broken map knows no
 * places.
 */
export function findSources(map: string, places: readonly Place[]): (SourcePlace | undefined)[] {
  const { mappings, sources } = parseMap(map);
  const found = places.map((): SourcePlace | undefined => undefined);
  const wanted = places
    .map((place, index) => ({ line: place.line - 1, column: place.column - 1, index }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  const segments = readSegments(mappings);
  let next = segments.next();
  let before: Segment | undefined;
  for (const { line, column, index } of wanted) {
    while (next.done !== true && isUpTo(next.value, line, column)) {
      before = { ...next.value };
      next = segments.next();
    }
    if (before === undefined || before.line !== line || before.source === undefined) continue;
    const file = sources[before.source];
    if (typeof file !== "string") continue;
    found[index] = {
      file: file.slice(0, MAX_NAME),
      line: before.sourceLine + 1,
      column: before.sourceColumn + 1,
    };
  }
  return found;
}

/** From here on, up to the next one, the script comes from that place. All numbers count from 0. */
interface Segment {
  readonly line: number;
  readonly column: number;
  readonly source: number | undefined;
  readonly sourceLine: number;
  readonly sourceColumn: number;
}

function isUpTo(segment: Segment, line: number, column: number): boolean {
  return segment.line < line || (segment.line === line && segment.column <= column);
}

function parseMap(map: string): { readonly mappings: string; readonly sources: readonly unknown[] } {
  try {
    const { mappings, sources } = JSON.parse(map) as {
      readonly mappings: unknown;
      readonly sources: unknown;
    };
    if (typeof mappings === "string" && Array.isArray(sources)) return { mappings, sources };
  } catch {
    // Whoever made the map made nonsense: the stack is shown as it is.
  }
  return { mappings: "", sources: [] };
}

/** The segments of a `mappings` text: lines end with `;`, segments with `,`, numbers are differences in base 64. */
function* readSegments(mappings: string): Generator<Segment, undefined> {
  let line = 0;
  /** Generated column, source, line and column there, name. */
  const fields = [0, 0, 0, 0, 0];
  let field = 0;
  let value = 0;
  let shift = 0;
  for (let index = 0; index <= mappings.length; index++) {
    const character = index === mappings.length ? 59 : mappings.charCodeAt(index);
    if (character === 44 || character === 59) {
      if (field > 0) {
        const [column = 0, source = 0, sourceLine = 0, sourceColumn = 0] = fields;
        yield { line, column, source: field > 1 ? source : undefined, sourceLine, sourceColumn };
      }
      field = 0;
      if (character === 59) {
        line += 1;
        fields[0] = 0;
      }
      continue;
    }
    const digit = DIGITS.get(character);
    if (digit === undefined || field >= fields.length || shift > 30) return;
    value += (digit & 31) * 2 ** shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    fields[field] = (fields[field] ?? 0) + (value % 2 === 1 ? -1 : 1) * Math.floor(value / 2);
    field += 1;
    value = 0;
    shift = 0;
  }
  return undefined;
}
