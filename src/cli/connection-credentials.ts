import { signingKeyFromSeed } from "../control-api/index.ts";
import type { ConnectionCredentials } from "../control-api/index.ts";
import { errorText } from "../lib/errors.ts";
import { parseServerUrls } from "../nats/server-urls.ts";
import { usageError } from "./arguments/usage-error.ts";

/** The values of `--{prefix}_url`, `--{prefix}_jwt` and `--{prefix}_seed`. */
export interface CredentialFlags {
  readonly prefix: "hs" | "trigger";
  readonly url: string | undefined;
  readonly jwt: string | undefined;
  readonly seed: string | undefined;
}

/**
 * The connection that a node is to use on behalf of a workload; undefined when no flag was given. What a node would
 * refuse is refused here. No error holds a secret.
 *
 * @throws {NexError} `USAGE` unless all three are given and have the form of one
 */
export function parseConnectionCredentials(flags: CredentialFlags): ConnectionCredentials | undefined {
  const { prefix, url, jwt, seed } = flags;
  if (url === undefined && jwt === undefined && seed === undefined) return undefined;
  if (url === undefined || jwt === undefined || seed === undefined) {
    const missing = Object.entries({ url, jwt, seed }).filter(([, value]) => value === undefined);
    throw usageError(
      `flags --${prefix}_url, --${prefix}_jwt and --${prefix}_seed go together (missing: ${missing.map(([name]) => `--${prefix}_${name}`).join(", ")})`,
    );
  }
  try {
    parseServerUrls(url);
  } catch (cause) {
    throw usageError(`flag '--${prefix}_url': ${errorText(cause)}`, cause);
  }
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(jwt.trim())) {
    throw usageError(`flag '--${prefix}_jwt': this is no JWT (three parts separated by dots)`);
  }
  if (!isUserSeed(seed)) throw usageError(`flag '--${prefix}_seed': this is no seed of a user ("SU…")`);
  return { nats_url: url, nats_user_jwt: jwt.trim(), nats_user_seed: seed.trim() };
}

function isUserSeed(text: string): boolean {
  try {
    return signingKeyFromSeed(text).kind === "user";
  } catch {
    return false;
  }
}
