import { setTimeout as delay } from "node:timers/promises";
import { finished } from "node:stream/promises";
import type { Readable } from "node:stream";
import type { ManagedProcess } from "../lib/managed-process.ts";
import { readLines } from "./output-lines.ts";
import type { SandboxOutput } from "./sandbox.ts";

/** How long the end of a machine waits for the rest of its output. */
const DRAIN_MS = 1000;

/** Hands on what a monitor writes: its `stdout` is the guest's serial console. Dispose waits for the rest of it. */
export function readMonitorOutput(
  { child: { stdout, stderr } }: ManagedProcess,
  onOutput: (output: SandboxOutput) => void,
): AsyncDisposable {
  const readings = (["stdout", "stderr"] as const).map((name) => {
    const stream = name === "stdout" ? stdout : stderr;
    return stream === null ? noReading : readStream(stream, (line) => onOutput({ stream: name, line }));
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(readings.map((reading) => reading[Symbol.asyncDispose]()));
    },
  };
}

/** Hands on the lines of a stream. Dispose waits until it has ended, at most a second. */
export function readStream(stream: Readable, onLine: (line: string) => void): AsyncDisposable {
  readLines(stream, onLine);
  const end = finished(stream).catch(() => {});
  return {
    [Symbol.asyncDispose]: async () => {
      const waiting = new AbortController();
      await Promise.race([end, delay(DRAIN_MS, undefined, { signal: waiting.signal }).catch(() => {})]);
      waiting.abort();
      stream.destroy();
    },
  };
}

const noReading: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() };
