import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { errorText, NexError } from "../lib/errors.ts";
import { runTool } from "../lib/run-tool.ts";

/** The oldest nats-server on which everything Nex needs works. */
const OLDEST_NATS_SERVER = "2.9.0";

/**
 * Asks a nats-server binary for its version, such as `2.12.15`.
 *
 * @throws {NexError} `NATS_SERVER_UNUSABLE` when the file does not run, is another program, or is too old
 */
export async function natsServerVersion(path: string, signal?: AbortSignal): Promise<string> {
  const defect = await fileDefect(path);
  if (defect !== undefined) throw unusable(path, defect.reason, defect.cause);
  const output = await runTool({
    program: path,
    argv: ["--version"],
    environment: {},
    timeoutMs: 10_000,
    signal,
  }).catch((cause: unknown) => {
    if (cause instanceof NexError && cause.code === "ABORTED") throw cause;
    throw unusable(path, `it does not run (${errorText(cause)})`, cause);
  });
  const version = /^nats-server: v?(\d+\.\d+\.\d+\S*)/m.exec(output)?.[1];
  if (version === undefined) throw unusable(path, "it is not a nats-server");
  if (compareVersions(version, OLDEST_NATS_SERVER) < 0) {
    throw unusable(path, `version ${version} is older than ${OLDEST_NATS_SERVER}`);
  }
  return version;
}

/** Orders versions by their numbers: negative when `left` is older. What follows the numbers (`-RC.1`) comes before none. */
export function compareVersions(left: string, right: string): number {
  const [leftNumbers, rightNumbers] = [numbers(left), numbers(right)];
  for (const [index, value] of leftNumbers.entries()) {
    const difference = value - (rightNumbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return Number(right.includes("-")) - Number(left.includes("-"));
}

async function fileDefect(
  path: string,
): Promise<{ readonly reason: string; readonly cause?: unknown } | undefined> {
  try {
    if (!(await stat(path)).isFile()) return { reason: "it is not a file" };
    await access(path, constants.X_OK);
    return undefined;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return { reason: "there is no such file", cause };
    return { reason: code === "EACCES" ? "it is not executable" : errorText(cause), cause };
  }
}

function numbers(version: string): readonly number[] {
  const core = version.split("-")[0] ?? "";
  return [0, 1, 2].map((index) => Number.parseInt(core.split(".")[index] ?? "0", 10) || 0);
}

function unusable(path: string, reason: string, cause?: unknown): NexError {
  return new NexError({ code: "NATS_SERVER_UNUSABLE", message: `Cannot use "${path}": ${reason}`, cause });
}
