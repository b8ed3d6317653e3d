/**
 * Files that hold one secret, such as the seed of a key.
 *
 * K1 the files are 0600; files that others can read (Go's `nex` writes such) are tightened
 * K2 of several first uses at once, one writes the file and all use that one; it is never replaced or seen half written
 */
import { randomUUID } from "node:crypto";
import { chmod, link, readFile, rm, stat, writeFile } from "node:fs/promises";
import { errorText, NexError } from "./errors.ts";

/** A key and the story of its file. */
export interface KeptKey<K> {
  readonly key: K;
  readonly path: string;
  /** True when it was made just now. */
  readonly created: boolean;
}

/**
 * The key in the file at `path`, which is made on first use (K1, K2).
 *
 * @throws {NexError} `KEY_FILE_INVALID`
 */
export async function keepKeyFile<K>(
  path: string,
  { make, parse }: { readonly make: () => string; readonly parse: (seed: string) => K },
): Promise<KeptKey<K>> {
  const created = await writeOnce(path, make);
  const key = await readKeyFile(path, parse);
  if (!created) await tightenMode(path, 0o600);
  return { key, path, created };
}

/**
 * Reads a seed; errors name the file, never its content.
 *
 * @throws {NexError} `KEY_FILE_INVALID`
 */
export async function readKeyFile<K>(path: string, parse: (seed: string) => K): Promise<K> {
  try {
    return parse(await readFile(path, "utf8"));
  } catch (cause) {
    const hint = cause instanceof NexError ? cause.hint : undefined;
    throw new NexError({
      code: "KEY_FILE_INVALID",
      message: `Cannot use key file "${path}": ${errorText(cause)}`,
      ...(hint === undefined ? {} : { hint }),
      cause,
    });
  }
}

/** Takes away the permissions that `mode` does not have. */
export async function tightenMode(path: string, mode: number): Promise<void> {
  if (process.platform === "win32") return;
  const current = (await stat(path)).mode & 0o777;
  if ((current & ~mode) === 0) return;
  try {
    await chmod(path, current & mode);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** The error of a file or directory for keys that cannot be written. */
export function unwritable(path: string, cause: unknown): NexError {
  return new NexError({
    code: "KEY_FILE_INVALID",
    message: `Cannot write "${path}": ${errorText(cause)}`,
    cause,
  });
}

/** A link fails when the file exists, so that a key is never replaced (K2). */
async function writeOnce(path: string, make: () => string): Promise<boolean> {
  if (await exists(path)) return false;
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, make(), { mode: 0o600, flag: "wx" });
    await link(draft, path);
    return true;
  } catch (cause) {
    if (await exists(path)) return false;
    throw unwritable(path, cause);
  } finally {
    await rm(draft, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
