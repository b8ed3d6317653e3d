import { printable, textWidth } from "./text-width.ts";

/** A label and its value. */
export type ReportLine = readonly [label: string, value: string];

/** Blocks of lines under a heading; blocks are separated by an empty line. */
export interface ReportSection {
  /** Undefined for the lines directly under the report's title. */
  readonly heading?: string;
  readonly blocks: readonly (readonly ReportLine[])[];
  /** What stands under the heading when there are no blocks. */
  readonly empty?: string;
}

const INDENT = 4;

/**
 * A column report: labels right-aligned at the colon, each section by its widest label; no newline at its end. In a
 * terminal of fewer `columns` a list of values goes on in the next line, after a comma.
 */
export function renderColumnReport(
  title: string,
  sections: readonly ReportSection[],
  columns = Number.POSITIVE_INFINITY,
): string {
  return [title, ...sections.map((section) => renderSection(section, columns))].join("\n\n");
}

/** Columns that the longest label takes, with what stands before it. */
export function labelWidth(labels: readonly string[]): number {
  return INDENT + Math.max(0, ...labels.map(textWidth));
}

/** A whole number with thousands separators. */
export function withThousands(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

function renderSection({ heading, blocks, empty }: ReportSection, columns: number): string {
  const width = labelWidth(blocks.flat().map(([label]) => label));
  const texts = blocks.map((block) =>
    block
      .map(([label, value]) => {
        const start = `${" ".repeat(width - textWidth(label))}${label}: `;
        return breakList(`${start}${printable(value)}`.trimEnd(), textWidth(start), columns);
      })
      .join("\n"),
  );
  if (texts.length === 0 && empty !== undefined) texts.push(" ".repeat(INDENT) + empty);
  return [...(heading === undefined ? [] : [`${heading}:`]), ...texts].join("\n\n");
}

function breakList(text: string, indent: number, columns: number): string {
  const lines: string[] = [];
  let line = "";
  for (const part of text.split(/(?<=, )/)) {
    if (line !== "" && textWidth((line + part).trimEnd()) > columns) {
      lines.push(line.trimEnd());
      line = " ".repeat(indent);
    }
    line += part;
  }
  return [...lines, line].join("\n");
}
