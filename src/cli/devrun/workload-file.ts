import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, extname } from "node:path";
import { errorText, NexError } from "../../lib/errors.ts";
import { isFunctionSource } from "../build/function-source.ts";
import { readBinaryFormat } from "./binary-format.ts";
import type { BinaryPlatform } from "./binary-format.ts";

/** Kinds of workload that can be deployed from a file. */
export const WORKLOAD_TYPES = ["native", "v8", "wasm"] as const;

/** One of {@link WORKLOAD_TYPES}. */
export type WorkloadType = (typeof WORKLOAD_TYPES)[number];

/** A file that can be deployed, and what is known of it without a node. */
export interface WorkloadFile {
  readonly path: string;
  /** Base name without dots: name of the workload and key in the object store. */
  readonly name: string;
  readonly type: WorkloadType;
  readonly bytes: number;
  /** Only of native binaries in a format we know. */
  readonly platform: BinaryPlatform | undefined;
  /** Why `platform` is missing from a native file; undefined for scripts, which have none. */
  readonly platformUnknown: string | undefined;
}

const NAME_PATTERN = /^[a-zA-Z0-9_-]+$/;
const ANY_EXECUTE_BIT = 0o111;

/**
 * Inspects a file for deployment (protocol section 10.4). Without `type`, JavaScript and TypeScript are v8, `.wasm` is
 * wasm, anything else native.
 *
 * @throws {NexError} `WORKLOAD_FILE_INVALID`: unreadable, empty, a name no workload can have, or nothing that can run
 */
export async function inspectWorkloadFile(path: string, type?: WorkloadType): Promise<WorkloadFile> {
  await using file = await openFile(path);
  const stats = await file.stat();
  if (!stats.isFile()) throw invalid(path, "it is not a regular file");
  if (stats.size === 0) throw invalid(path, "it is empty");
  const name = basename(path).replaceAll(".", "");
  if (!NAME_PATTERN.test(name)) {
    throw invalid(
      path,
      `"${name}" is no workload name`,
      "Rename the file: only letters, digits, '_', '-' and '.' are allowed",
    );
  }
  const known = { path, name, type: type ?? inferWorkloadType(path), bytes: stats.size };
  if (known.type !== "native") return { ...known, platform: undefined, platformUnknown: undefined };
  const format = await readBinaryFormat(file);
  if (format.kind === "known") return { ...known, platform: format.platform, platformUnknown: undefined };
  const reason = format.kind === "script" ? "it is a script, but not executable" : format.reason;
  if ((stats.mode & ANY_EXECUTE_BIT) === 0) {
    throw invalid(
      path,
      reason,
      "Give --type=v8 or --type=wasm for a function, or make a script executable with chmod +x",
    );
  }
  return { ...known, platform: undefined, platformUnknown: format.kind === "script" ? undefined : reason };
}

/** The type that the name of a file implies. */
function inferWorkloadType(path: string): WorkloadType {
  if (isFunctionSource(path)) return "v8";
  return extname(path).toLowerCase() === ".wasm" ? "wasm" : "native";
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw invalid(path, missing ? "there is no such file" : errorText(cause), undefined, cause);
  }
}

function invalid(path: string, reason: string, hint?: string, cause?: unknown): NexError {
  return new NexError({
    code: "WORKLOAD_FILE_INVALID",
    message: `Cannot deploy "${path}": ${reason}`,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}
