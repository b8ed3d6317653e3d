import { readFile } from "node:fs/promises";
import { signingKeyFromSeed } from "../control-api/keys.ts";
import type { SigningKey } from "../control-api/keys.ts";
import { sealingKeyFromSeed } from "../control-api/sealing-key.ts";
import type { SealingKey } from "../control-api/sealing-key.ts";
import { errorText, NexError } from "../lib/errors.ts";

/** The issuer key whose seed a file holds. Throws KEY_FILE_INVALID. */
export function readIssuerFile(path: string): Promise<SigningKey> {
  return readKeyFile(path, signingKeyFromSeed);
}

/** The publisher xkey whose seed a file holds. Throws KEY_FILE_INVALID. */
export function readXkeyFile(path: string): Promise<SealingKey> {
  return readKeyFile(path, sealingKeyFromSeed);
}

/** Reads a seed; errors name the file, never its content. */
async function readKeyFile<K>(path: string, parse: (seed: string) => K): Promise<K> {
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
