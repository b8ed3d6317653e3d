import { randomBytes } from "node:crypto";
import { fromCurveSeed, type KeyPair } from "@nats-io/nkeys";
import { NexError } from "../lib/errors.ts";
import { decodeSeed, encodeSeed, seedHint } from "./nkey-text.ts";

/** An X25519 xkey. Printing, inspecting or serialising it never shows the seed. */
export interface SealingKey {
  /** 56 characters, `X…`. */
  readonly publicKey: string;
  /** The seed, 58 characters: for a key file, nothing else. */
  seedText(): string;
  /** `xkv1`, 24 nonce bytes (random unless given), NaCl box. Throws KEY_INVALID when the recipient is no public xkey. */
  seal(data: Uint8Array, recipient: string, nonce?: Uint8Array): Uint8Array;
  /** The opposite; undefined when the bytes were not sealed by that sender for this key. */
  open(sealed: Uint8Array, sender: string): Uint8Array | undefined;
}

/** A new random key. */
export function createSealingKey(): SealingKey {
  return new CurveKey(encodeSeed({ kind: "curve", bytes: randomBytes(32) }));
}

/** The key of a seed text such as a key file's content; white space around it is ignored. Throws KEY_INVALID. */
export function sealingKeyFromSeed(text: string): SealingKey {
  const seed = decodeSeed(text.trim());
  if (seed?.kind === "curve") return new CurveKey(text.trim());
  throw new NexError({
    code: "KEY_INVALID",
    message:
      seed === undefined
        ? "Cannot read the seed of an xkey: not an nkey seed"
        : `Cannot use the seed of a signing key (${seed.kind}) as an xkey`,
    hint: seedHint(text, "An xkey seed begins with SX"),
  });
}

class CurveKey implements SealingKey {
  readonly publicKey: string;
  readonly #pair: KeyPair;

  constructor(seed: string) {
    this.#pair = fromCurveSeed(new TextEncoder().encode(seed));
    this.publicKey = this.#pair.getPublicKey();
  }

  seedText(): string {
    return new TextDecoder().decode(this.#pair.getSeed());
  }

  seal(data: Uint8Array, recipient: string, nonce?: Uint8Array): Uint8Array {
    try {
      return this.#pair.seal(data, recipient, nonce);
    } catch (cause) {
      throw new NexError({
        code: "KEY_INVALID",
        message: `Cannot seal for ${JSON.stringify(recipient)}`,
        hint: "The recipient must be a public xkey (X…)",
        cause,
      });
    }
  }

  open(sealed: Uint8Array, sender: string): Uint8Array | undefined {
    try {
      return this.#pair.open(sealed, sender) ?? undefined;
    } catch {
      return undefined;
    }
  }
}
