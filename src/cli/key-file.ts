import { signingKeyFromSeed } from "../control-api/keys.ts";
import type { SigningKey } from "../control-api/keys.ts";
import { sealingKeyFromSeed } from "../control-api/sealing-key.ts";
import type { SealingKey } from "../control-api/sealing-key.ts";
import { readKeyFile } from "../lib/key-file.ts";

/** The issuer key whose seed a file holds. Throws KEY_FILE_INVALID. */
export function readIssuerFile(path: string): Promise<SigningKey> {
  return readKeyFile(path, signingKeyFromSeed);
}

/** The publisher xkey whose seed a file holds. Throws KEY_FILE_INVALID. */
export function readXkeyFile(path: string): Promise<SealingKey> {
  return readKeyFile(path, sealingKeyFromSeed);
}
