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

/** A column report: labels right-aligned at the colon, each section by its widest label; no newline at its end. */
export function renderColumnReport(title: string, sections: readonly ReportSection[]): string {
  return [title, ...sections.map(renderSection)].join("\n\n");
}

/** A whole number with thousands separators. */
export function withThousands(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

function renderSection({ heading, blocks, empty }: ReportSection): string {
  const width = INDENT + Math.max(0, ...blocks.flat().map(([label]) => textWidth(label)));
  const texts = blocks.map((block) =>
    block
      .map(([label, value]) =>
        `${" ".repeat(width - textWidth(label))}${label}: ${printable(value)}`.trimEnd(),
      )
      .join("\n"),
  );
  if (texts.length === 0 && empty !== undefined) texts.push(" ".repeat(INDENT) + empty);
  return [...(heading === undefined ? [] : [`${heading}:`]), ...texts].join("\n\n");
}
