import { stripVTControlCharacters } from "node:util";

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const EMOJI = /^(?:\p{Emoji_Presentation}|\p{RGI_Emoji})/v;
const INVISIBLE = /^[\p{Default_Ignorable_Code_Point}\p{Control}\p{Mark}]+$/v;
const ASCII = /^[\x20-\x7e]*$/;

/** Code points of East Asian width W or F outside of emoji, as inclusive pairs (Unicode 16, EastAsianWidth). */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x3247],
  [0x3250, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1d300, 0x1d376],
  [0x20000, 0x3fffd],
];

/** Columns that `text` takes in a terminal: wide characters and emoji two, combining ones none. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(stripVTControlCharacters(text)))
    width += graphemeWidth(segment);
  return width;
}

/** `text` in at most `width` columns: what is too long loses its middle to `…`, so that both ends can be told apart. */
export function shortenMiddle(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const graphemes = Array.from(segmenter.segment(text), ({ segment }) => segment);
  const tail = takeWidth(graphemes.toReversed(), Math.floor((width - 1) / 2)).toReversed();
  const head = takeWidth(graphemes, width - 1 - textWidth(tail.join("")));
  return `${head.join("")}…${tail.join("")}`;
}

/** `text` without characters that move the cursor or change colours: what others sent may hold any. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(
    /[\p{Control}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gv,
    " ",
  );
}

function takeWidth(graphemes: readonly string[], width: number): readonly string[] {
  let taken = 0;
  const end = graphemes.findIndex((grapheme) => (taken += graphemeWidth(grapheme)) > width);
  return end === -1 ? graphemes : graphemes.slice(0, end);
}

function graphemeWidth(grapheme: string): number {
  if (INVISIBLE.test(grapheme)) return 0;
  if (EMOJI.test(grapheme)) return 2;
  const code = grapheme.codePointAt(0) ?? 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
