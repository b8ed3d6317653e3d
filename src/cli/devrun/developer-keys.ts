import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createSigningKey, signingKeyFromSeed } from "../../control-api/keys.ts";
import type { SigningKey } from "../../control-api/keys.ts";
import { createSealingKey, sealingKeyFromSeed } from "../../control-api/sealing-key.ts";
import type { SealingKey } from "../../control-api/sealing-key.ts";
import { keepKeyFile, tightenMode, unwritable } from "../../lib/key-file.ts";
import type { KeptKey } from "../../lib/key-file.ts";

/** Who deploys from this account of this machine. */
export interface DeveloperKeys {
  /** Signs deploys and stops. */
  readonly issuer: KeptKey<SigningKey>;
  /** Seals environments. */
  readonly publisher: KeptKey<SealingKey>;
}

/**
 * Reads `issuer.nk` and `publisher.xk` in `directory`, usually `~/.nex`, and makes what is missing. The directory is
 * 0700, the files are 0600, and a key is never replaced.
 *
 * @throws {NexError} `KEY_FILE_INVALID`
 */
export async function keepDeveloperKeys(directory: string): Promise<DeveloperKeys> {
  await makeDirectory(directory);
  return {
    issuer: await keepKeyFile(join(directory, "issuer.nk"), {
      make: () => createSigningKey("account").seedText(),
      parse: signingKeyFromSeed,
    }),
    publisher: await keepKeyFile(join(directory, "publisher.xk"), {
      make: () => createSealingKey().seedText(),
      parse: sealingKeyFromSeed,
    }),
  };
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await tightenMode(path, 0o700);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}
