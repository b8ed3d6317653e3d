import { findProgram } from "../lib/find-program.ts";
import { NexError } from "../lib/errors.ts";
import { runTool } from "../lib/run-tool.ts";

/** Runs one of the host's programs to its end and returns its standard output. */
export type RunRootfsTool = (
  program: string,
  argv: readonly string[],
  options?: { readonly environment?: Readonly<Record<string, string>>; readonly timeoutMs?: number },
) => Promise<string>;

const STEP_LIMIT_MS = 5 * 60_000;
/** Where Debian keeps `mke2fs` and `debugfs`, which the PATH of ordinary users does not name. */
const SYSTEM_FOLDERS = "/usr/sbin:/sbin";

/** Debian packages of the programs that an image is built with. */
const PACKAGES: Readonly<Record<string, string>> = {
  busybox: "busybox-static",
  mke2fs: "e2fsprogs",
  debugfs: "e2fsprogs",
  ldd: "libc-bin",
  xz: "xz-utils",
};

/** The programs of the host, without its environment but PATH. */
export function rootfsTools(path: string | undefined, signal: AbortSignal | undefined): RunRootfsTool {
  const environmentPath = searchPath(path);
  return async (program, argv, { environment = {}, timeoutMs = STEP_LIMIT_MS } = {}) =>
    runTool({
      program: await requireProgram(program, path),
      argv,
      environment: { LC_ALL: "C", PATH: environmentPath, ...environment },
      timeoutMs,
      signal,
    });
}

/**
 * The path of a program.
 *
 * @throws {NexError} `TOOL_MISSING`, with the Debian package that has it
 */
export async function requireProgram(program: string, path: string | undefined): Promise<string> {
  const found = await findProgram(program, { path: searchPath(path) });
  if (found !== undefined) return found;
  const debianPackage = PACKAGES[program];
  throw new NexError({
    code: "TOOL_MISSING",
    message: `Cannot find the program "${program}"`,
    ...(debianPackage === undefined ? {} : { hint: `On Debian: apt-get install ${debianPackage}` }),
  });
}

function searchPath(path: string | undefined): string {
  return [path ?? "/usr/bin:/bin", SYSTEM_FOLDERS].filter((part) => part !== "").join(":");
}
