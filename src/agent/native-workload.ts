import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startProcess } from "../lib/managed-process.ts";
import type { ProcessExit } from "../lib/managed-process.ts";
import { outOfMemoryKills } from "./out-of-memory.ts";
import { LineSplitter } from "../lib/line-splitter.ts";
import type { RunningWorkload, WorkloadExit, WorkloadLog } from "./workload.ts";

/** How long to wait for the last output: a descendant in a session of its own may keep the pipes open for ever. */
const LAST_OUTPUT_MS = 250;

export interface NativeWorkloadSpec {
  readonly workloadId: string;
  /** Where the artifact file is written. */
  readonly directory: string;
  readonly artifact: Uint8Array;
  readonly argv: readonly string[];
  /** As deployed; keys are upper-cased here. Nothing else is handed over. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether what the kernel kills for want of memory here can only be ours. */
  readonly sandboxed: boolean;
  readonly log: WorkloadLog;
}

/**
 * Writes the artifact to a file and runs it (protocol.md 8.2).
 *
 * @throws {NexError} `PROCESS_START_FAILED` when the host does not start it; the file is removed
 */
export async function startNativeWorkload(spec: NativeWorkloadSpec): Promise<RunningWorkload> {
  const program = join(spec.directory, `workload-${spec.workloadId}`);
  await writeFile(program, spec.artifact, { mode: 0o700, flag: "wx" });
  await chmod(program, 0o777);
  const killsBefore = spec.sandboxed ? await outOfMemoryKills() : undefined;
  const removeProgram = async (): Promise<void> => rm(program, { force: true });
  try {
    const child = await startProcess({
      program,
      argv: spec.argv,
      environment: upperCaseKeys(spec.environment),
      workingDirectory: spec.directory,
      stopSignal: "SIGINT",
    });
    const output = Promise.all([
      captureLines(child.child.stdout, "info", spec.log),
      captureLines(child.child.stderr, "error", spec.log),
    ]);
    const exit = child.exit.then(async (reason) => {
      await Promise.race([output, delay(LAST_OUTPUT_MS)]);
      await removeProgram();
      return exitOf(reason, killsBefore);
    });
    return {
      exit,
      invoke: undefined,
      stop: async (graceMs) => {
        await child.stop({ graceMs });
        await exit;
      },
    };
  } catch (error) {
    await removeProgram();
    throw error;
  }
}

async function captureLines(
  stream: NodeJS.ReadableStream | null,
  level: "info" | "error",
  log: WorkloadLog,
): Promise<void> {
  if (stream === null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const lines = new LineSplitter((line) => log(level, line));
  stream.on("data", (chunk: Buffer) => lines.push(chunk));
  stream.once("close", () => {
    lines.end();
    resolve();
  });
  await promise;
}

async function exitOf(reason: ProcessExit, killsBefore: number | undefined): Promise<WorkloadExit> {
  if (reason.kind === "exited") return { code: reason.code };
  if (reason.kind === "signaled" && reason.signal === "SIGKILL" && killsBefore !== undefined) {
    const kills = await outOfMemoryKills();
    if (kills !== undefined && kills > killsBefore) return { code: -1, reason: "out of memory" };
  }
  return { code: -1 };
}

function upperCaseKeys(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).map(([key, value]) => [key.toUpperCase(), value]));
}
