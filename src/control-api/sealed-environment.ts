import { errorText, NexError } from "../lib/errors.ts";
import { decodeGoBase64 } from "./go-base64.ts";
import { decodeJson, encodeJson, readWire, StringMap } from "./json.ts";
import { isPublicKey } from "./keys.ts";
import type { SealingKey } from "./sealing-key.ts";

/** Environment variables of a workload. */
export type WorkloadEnvironment = Readonly<Record<string, string>>;

export interface SealInit {
  readonly environment: WorkloadEnvironment;
  readonly sender: SealingKey;
  /** Public xkey of the node. */
  readonly recipient: string;
  /** 24 bytes, for test vectors only: never use one twice. Default random. */
  readonly nonce?: Uint8Array;
}

export interface OpenInit {
  /** Text as made by sealEnvironment. */
  readonly sealed: string;
  /** Public xkey of the publisher. */
  readonly sender: string;
  readonly recipient: SealingKey;
}

/**
 * Seals an environment for one node: standard base64 of the sealed JSON object. Throws ENVIRONMENT_INVALID for a value
 * that is not a string and KEY_INVALID for a recipient that is no public xkey.
 */
export function sealEnvironment({ environment, sender, recipient, nonce }: SealInit): string {
  for (const [name, value] of Object.entries(environment)) {
    if (typeof value !== "string")
      throw invalid(`environment variable ${JSON.stringify(name)} must be a string`);
  }
  return Buffer.from(sender.seal(encodeJson(environment), recipient, nonce)).toString("base64");
}

/**
 * Opens a sealed environment; a JSON `null` inside is an empty one. Throws ENVIRONMENT_INVALID with the text that
 * follows `Failed to decrypt environment for deploy request: `; it never holds a value.
 */
export function openEnvironment({ sealed, sender, recipient }: OpenInit): WorkloadEnvironment {
  const bytes = decodeGoBase64(sealed, "standard");
  if (typeof bytes === "number") throw invalid(`illegal base64 data at input byte ${bytes}`);
  if (bytes.length <= 28) throw invalid("nkeys: encrypted input is not valid");
  if (Buffer.from(bytes.subarray(0, 4)).toString("latin1") !== "xkv1") {
    throw invalid("nkeys: encrypted input wrong version");
  }
  if (!isPublicKey(sender, "curve")) throw invalid("nkeys: not a valid sender public curve key");
  const plain = recipient.open(bytes, sender);
  if (plain === undefined) throw invalid("nkeys: could not decrypt input");
  try {
    const value = decodeJson(plain);
    return value === null ? {} : readWire(StringMap, value);
  } catch (error) {
    throw invalid(errorText(error).replace(/^(?:body|field)/u, "environment"));
  }
}

function invalid(message: string): NexError {
  return new NexError({ code: "ENVIRONMENT_INVALID", message });
}
