import type { Readable } from "node:stream";
import { LineSplitter } from "../lib/line-splitter.ts";

/** Splits a stream of text (UTF-8) into lines without their ends; a last line without end counts. Never throws. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  const lines = new LineSplitter(onLine);
  stream.on("data", (chunk: Buffer) => lines.push(chunk));
  stream.on("end", () => lines.end());
  stream.on("error", () => {});
}
