import { printable, textWidth } from "./text-width.ts";

/** A cell; numbers are right-aligned. */
type Cell = string | number;

/** What a table shows. */
export interface Table {
  readonly title: string;
  readonly headers: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A rounded box with a centred title (protocol sections 10.6 to 10.8); no newline at its end. */
export function renderTable({ title, headers, rows }: Table): string {
  const texts = rows.map((row) => headers.map((_, column) => cellText(row[column])));
  const widths = headers.map((header, column) =>
    Math.max(textWidth(header), ...texts.map((row) => textWidth(row[column] ?? ""))),
  );
  const inner = widths.reduce((sum, width) => sum + width + 3, -1);
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

function cellText(cell: Cell | undefined): string {
  return printable(String(cell ?? ""));
}

function pad(text: string, width: number, right: boolean): string {
  const spaces = " ".repeat(Math.max(0, width - textWidth(text)));
  return right ? spaces + text : text + spaces;
}

function centre(text: string, width: number): string {
  const space = Math.max(0, width - textWidth(text));
  const left = Math.ceil(space / 2);
  return " ".repeat(left) + text + " ".repeat(space - left);
}
