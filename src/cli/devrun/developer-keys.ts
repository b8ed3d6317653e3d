/**
 * The keys that `devrun` makes on first use and keeps.
 *
 * K1 the directory is 0700, the files 0600; files that others can read (Go's `nex` writes such) are tightened
 * K2 of several first uses at once, one writes a key and all use that one; a file is never seen half written
 */
import { randomUUID } from "node:crypto";
import { chmod, link, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSigningKey } from "../../control-api/keys.ts";
import type { SigningKey } from "../../control-api/keys.ts";
import { createSealingKey } from "../../control-api/sealing-key.ts";
import type { SealingKey } from "../../control-api/sealing-key.ts";
import { errorText, NexError } from "../../lib/errors.ts";
import { readIssuerFile, readXkeyFile } from "../key-file.ts";

/** A key and the story of its file. */
export interface KeptKey<K> {
  readonly key: K;
  readonly path: string;
  /** True when it was made just now. */
  readonly created: boolean;
}

/** Who deploys from this account of this machine. */
export interface DeveloperKeys {
  /** Signs deploys and stops. */
  readonly issuer: KeptKey<SigningKey>;
  /** Seals environments. */
  readonly publisher: KeptKey<SealingKey>;
}

/**
 * Reads `issuer.nk` and `publisher.xk` in `directory`, usually `~/.nex`, and makes what is missing (K1, K2).
 *
 * @throws {NexError} `KEY_FILE_INVALID`
 */
export async function keepDeveloperKeys(directory: string): Promise<DeveloperKeys> {
  await makeDirectory(directory);
  return {
    issuer: await keep(
      join(directory, "issuer.nk"),
      () => createSigningKey("account").seedText(),
      readIssuerFile,
    ),
    publisher: await keep(join(directory, "publisher.xk"), () => createSealingKey().seedText(), readXkeyFile),
  };
}

async function keep<K>(
  path: string,
  make: () => string,
  read: (path: string) => Promise<K>,
): Promise<KeptKey<K>> {
  const created = await writeOnce(path, make);
  if (!created) await tighten(path, 0o600);
  return { key: await read(path), path, created };
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await tighten(path, 0o700);
  } catch (cause) {
    throw unwritable(path, cause);
  }
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

async function tighten(path: string, mode: number): Promise<void> {
  if (process.platform === "win32") return;
  const current = (await stat(path)).mode & 0o777;
  if ((current & ~mode) !== 0) await chmod(path, current & mode);
}

function unwritable(path: string, cause: unknown): NexError {
  return new NexError({
    code: "KEY_FILE_INVALID",
    message: `Cannot write "${path}": ${errorText(cause)}`,
    cause,
  });
}
