import { labelWidth, renderColumnReport } from "./column-report.ts";
import { printable, shortenMiddle, textWidth } from "./text-width.ts";

/** A cell; numbers are right-aligned. */
type Cell = string | number;

/** What a table shows. */
export interface Table {
  readonly title: string;
  readonly headers: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Columns whose texts may lose their middle where the table is too wide, the first to shorten first. Default none. */
  readonly shorten?: readonly number[];
}

/** No text is made shorter than this. */
const SHORTEST = 9;

/**
 * A rounded box with a centred title (protocol sections 10.6 to 10.8); no newline at its end. In a terminal of fewer
 * `columns` the texts of some columns are shortened; where that is not enough, each row becomes a block of lines.
 */
export function renderTable(table: Table, columns = Number.POSITIVE_INFINITY): string {
  const { title, headers, rows } = table;
  const texts = rows.map((row) => headers.map((_, column) => cellText(row[column])));
  const natural = headers.map((header, column) =>
    Math.max(textWidth(header), ...texts.map((row) => textWidth(row[column] ?? ""))),
  );
  const widths = fittingWidths(table, natural, columns);
  if (widths === undefined) return renderBlocks(table, texts, columns);
  const inner = innerWidth(widths);
  const missing = textWidth(title) + 2 - inner;
  if (missing > 0) widths[widths.length - 1] = (widths.at(-1) ?? 0) + missing;
  const rule = (left: string, cross: string, right: string): string =>
    left + widths.map((width) => "─".repeat(width + 2)).join(cross) + right;
  const line = (cells: readonly string[], aligned: (column: number) => boolean): string =>
    `│${cells.map((text, column) => ` ${pad(text, widths[column] ?? 0, aligned(column))} `).join("│")}│`;
  return [
    rule("╭", "─", "╮"),
    `│${centre(title, Math.max(inner, inner + missing))}│`,
    rule("├", "┬", "┤"),
    line(headers, () => false),
    rule("├", "┼", "┤"),
    ...texts.map((row, index) => line(row, (column) => typeof rows[index]?.[column] === "number")),
    rule("╰", "┴", "╯"),
  ].join("\n");
}

/** Column widths with which the table fits; undefined when there are none. */
function fittingWidths(
  { headers, shorten = [] }: Table,
  natural: readonly number[],
  columns: number,
): number[] | undefined {
  const widths = [...natural];
  for (const column of shorten) {
    const excess = innerWidth(widths) + 2 - columns;
    if (excess <= 0) break;
    const width = widths[column] ?? 0;
    const shortest = Math.max(SHORTEST, textWidth(headers[column] ?? ""));
    widths[column] = Math.min(width, Math.max(shortest, width - excess));
  }
  return innerWidth(widths) + 2 > columns ? undefined : widths;
}

/** Columns between the left and the right edge. */
function innerWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + 3, -1);
}

function renderBlocks(
  { title, headers, shorten = [] }: Table,
  texts: readonly (readonly string[])[],
  columns: number,
): string {
  const room = Math.max(SHORTEST, columns - labelWidth(headers) - ": ".length);
  const value = (text: string, column: number): string =>
    shorten.includes(column) ? shortenMiddle(text, room) : text;
  const blocks = texts.map((row) =>
    headers.map((header, column) => [header, value(row[column] ?? "", column)] as const),
  );
  return renderColumnReport(title, [{ blocks, empty: "none" }]);
}

function cellText(cell: Cell | undefined): string {
  return printable(String(cell ?? ""));
}

function pad(text: string, width: number, right: boolean): string {
  const short = shortenMiddle(text, width);
  const spaces = " ".repeat(Math.max(0, width - textWidth(short)));
  return right ? spaces + short : short + spaces;
}

function centre(text: string, width: number): string {
  const space = Math.max(0, width - textWidth(text));
  const left = Math.ceil(space / 2);
  return " ".repeat(left) + text + " ".repeat(space - left);
}
