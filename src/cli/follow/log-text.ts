import { stripVTControlCharacters } from "node:util";
import { LOG_LEVELS } from "../../control-api/index.ts";
import type { LogLevel } from "../../lib/logger.ts";

/** The level by which an entry of a workload is shown; offsets such as `INFO+2` belong to the level below them. */
export function shownLevel(levelValue: number): LogLevel {
  if (levelValue >= LOG_LEVELS.ERROR) return "error";
  if (levelValue >= LOG_LEVELS.WARN) return "warn";
  return levelValue >= LOG_LEVELS.INFO ? "info" : "debug";
}

/**
 * The lines of an entry: peers send chunks that may hold several. Colours and other terminal codes are taken out, tabs
 * become spaces; an empty chunk has no lines.
 */
export function logLines(text: string): string[] {
  const plain = stripVTControlCharacters(text).replace(/\r?\n$/, "");
  return plain === "" ? [] : plain.split(/\r?\n/).map((line) => line.replaceAll("\t", "    "));
}
