import { access, constants, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Where programs of the system are looked up, instead of in the PATH of whoever started us. */
export const SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The path of an executable file: `program` itself when it contains a slash (relative ones are taken from
 * `workingDirectory`), else the first of that name in `path`, a list of directories as in the environment variable PATH.
 * Undefined when there is none.
 */
export async function findProgram(
  program: string,
  { path = "", workingDirectory = "" } = {},
): Promise<string | undefined> {
  const candidates = program.includes("/")
    ? [program.startsWith("/") ? program : join(workingDirectory, program)]
    : path.split(delimiter).map((directory) => join(directory === "" ? "." : directory, program));
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    const entry = await stat(path);
    if (!entry.isFile()) return false;
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
