import type { Duplex } from "node:stream";
import { LineSplitter } from "../../lib/line-splitter.ts";

/** QEMU is at its control connection once it has made all devices; that takes a while on a busy host. */
const RUNNING_MS = 30_000;

/**
 * Asks QEMU over its control connection (QMP) whether the machine runs, and waits until it does.
 *
 * @throws {Error} when it does not in half a minute, or `signal` fires
 */
export async function untilMachineRuns(control: Duplex, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(RUNNING_MS)]);
  const onAbort = (): void => reject(limit.reason as Error);
  limit.addEventListener("abort", onAbort, { once: true });
  if (limit.aborted) onAbort();
  const lines = new LineSplitter((line) => {
    const answer = parseAnswer(line);
    if (answer?.["running"] === true) resolve();
    else if (answer?.["running"] === false) reject(new Error(`the machine does not run: ${line}`));
  });
  control.on("data", (chunk: Buffer) => lines.push(chunk));
  // A QEMU that ends resets the connection; its end is known from elsewhere.
  control.on("error", () => {});
  control.write('{"execute":"qmp_capabilities"}\n{"execute":"query-status"}\n');
  try {
    await promise;
  } finally {
    limit.removeEventListener("abort", onAbort);
  }
}

function parseAnswer(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const { return: answer } = JSON.parse(line) as { readonly return?: Record<string, unknown> };
    return answer;
  } catch {
    return undefined;
  }
}
