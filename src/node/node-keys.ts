import { createSigningKey, signingKeyFromSeed } from "../control-api/keys.ts";
import type { SigningKey } from "../control-api/keys.ts";
import { createSealingKey, sealingKeyFromSeed } from "../control-api/sealing-key.ts";
import type { SealingKey } from "../control-api/sealing-key.ts";
import { NexError } from "../lib/errors.ts";
import { keepKeyFile } from "../lib/key-file.ts";
import type { NodeConfiguration } from "./configuration.ts";

/** The two keys that a node is known by. */
export interface NodeKeys {
  readonly key: SigningKey;
  readonly xkey: SealingKey;
}

/**
 * The keys of `node_seed_file` and `xkey_seed_file`, made there (0600) on first use; new ones where no file is
 * configured.
 *
 * @throws {NexError} `KEY_FILE_INVALID`: unreadable, not writable, or another kind of key
 */
export async function loadNodeKeys({
  node_seed_file: nodeFile,
  xkey_seed_file: xkeyFile,
}: Pick<NodeConfiguration, "node_seed_file" | "xkey_seed_file">): Promise<NodeKeys> {
  return {
    key:
      nodeFile === undefined
        ? createSigningKey("server")
        : (
            await keepKeyFile(nodeFile, {
              make: () => createSigningKey("server").seedText(),
              parse: nodeKeyFromSeed,
            })
          ).key,
    xkey:
      xkeyFile === undefined
        ? createSealingKey()
        : (
            await keepKeyFile(xkeyFile, {
              make: () => createSealingKey().seedText(),
              parse: sealingKeyFromSeed,
            })
          ).key,
  };
}

function nodeKeyFromSeed(text: string): SigningKey {
  const key = signingKeyFromSeed(text);
  if (key.kind === "server") return key;
  throw new NexError({
    code: "KEY_INVALID",
    message: `it holds the seed of another kind of key (${key.kind})`,
    hint: "The seed of a node begins with SN; name a file that does not exist to have one made",
  });
}
