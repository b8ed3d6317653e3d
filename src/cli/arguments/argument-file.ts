import { readFileSync } from "node:fs";
import { errorText } from "../../lib/errors.ts";
import { usageError } from "./usage-error.ts";

/** True for `@file`: an argument that stands for the lines of a file. */
export function isArgumentFile(item: string): boolean {
  return item.startsWith("@") && item.length > 1;
}

/**
 * The lines that `@file` stands for, each an argument.
 *
 * @throws {NexError} `USAGE` when the file cannot be read
 */
export function readArgumentFile(item: string): string[] {
  const path = item.slice(1);
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    const advice = "put '--' before an argument that begins with '@'";
    throw usageError(`cannot read arguments from '${path}': ${errorText(cause)} (${advice})`, cause);
  }
  const lines = content.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
