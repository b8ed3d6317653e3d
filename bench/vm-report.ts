/** How `npm run bench:vm` says what it measured. */
import { availableParallelism, cpus } from "node:os";
import { medianAndSpread } from "./statistics.ts";

export const MIB = 1024 * 1024;

export function introduction(runs: number): string {
  return `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, Node ${process.version}, ${runs} runs`;
}

/** A line of the report: median, smallest and largest of the values. */
export function line(title: string, values: readonly number[], unit: string, digits = 0): void {
  say(title, `${medianAndSpread(values, (value) => value.toFixed(digits))} ${unit}`);
}

export function say(title: string, text: string): void {
  console.log(`${title.padEnd(58)} ${text}`);
}

/** Tells on stderr what goes on: a run takes minutes. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
