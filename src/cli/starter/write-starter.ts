import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText, NexError } from "../../lib/errors.ts";
import { starterFiles } from "./starter-files.ts";

/**
 * Writes the starter into `directory`, which is made when it is missing. Without `force` nothing is written when one of the
 * files exists. Returns the paths written.
 *
 * @throws {NexError} `STARTER_EXISTS`, `STARTER_UNWRITABLE`
 */
export async function writeStarter(
  directory: string,
  { force }: { readonly force: boolean },
): Promise<readonly string[]> {
  const existing = force ? [] : await existingFiles(directory);
  if (existing.length > 0) throw exists(directory, existing);
  try {
    await mkdir(directory, { recursive: true });
    for (const { path, content, executable } of starterFiles) {
      const target = join(directory, path);
      await writeFile(target, content, { flag: force ? "w" : "wx" });
      if (executable) await chmod(target, 0o755);
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") {
      const { path = directory } = cause as NodeJS.ErrnoException;
      throw exists(directory, [path]);
    }
    throw new NexError({
      code: "STARTER_UNWRITABLE",
      message: `Cannot write a starter into "${directory}": ${errorText(cause)}`,
      hint: "Name a folder that you may write to",
      cause,
    });
  }
  return starterFiles.map(({ path }) => join(directory, path));
}

async function existingFiles(directory: string): Promise<string[]> {
  const found = await Promise.all(
    starterFiles.map(async ({ path }) =>
      stat(join(directory, path)).then(
        () => path,
        () => undefined,
      ),
    ),
  );
  return found.filter((path) => path !== undefined);
}

function exists(directory: string, paths: readonly string[]): NexError {
  return new NexError({
    code: "STARTER_EXISTS",
    message: `Cannot write a starter into "${directory}": ${paths.join(", ")} would be overwritten`,
    hint: "Name another folder, or overwrite with --force",
  });
}
