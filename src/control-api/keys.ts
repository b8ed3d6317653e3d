import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject } from "node:crypto";
import { NexError } from "../lib/errors.ts";
import {
  decodePublicKey,
  decodeSeed,
  encodePublicKey,
  encodeSeed,
  seedHint,
  type KeyKind,
  type NkeyParts,
} from "./nkey-text.ts";

export { createSealingKey, sealingKeyFromSeed, type SealingKey } from "./sealing-key.ts";

/** What a signing key is for. */
export type SigningKeyKind = Exclude<KeyKind, "curve">;

/** An Ed25519 nkey. Printing, inspecting or serialising it never shows the seed. */
export interface SigningKey {
  readonly kind: SigningKeyKind;
  /** 56 characters, e.g. `A…` for an account. */
  readonly publicKey: string;
  /** The seed, 58 characters: for a key file or a connection, nothing else. */
  seedText(): string;
  /** 64 bytes. */
  sign(data: Uint8Array): Uint8Array;
}

/** A new random key. */
export function createSigningKey(kind: SigningKeyKind): SigningKey {
  return new Ed25519Key(kind, randomBytes(32));
}

/** The key of a seed text such as a key file's content; white space around it is ignored. Throws KEY_INVALID. */
export function signingKeyFromSeed(text: string): SigningKey {
  const seed = decodeSeed(text.trim());
  if (seed === undefined) {
    throw new NexError({
      code: "KEY_INVALID",
      message: "Cannot read the seed of a signing key: not an nkey seed",
      hint: seedHint(text, "An issuer seed begins with SA"),
    });
  }
  if (seed.kind === "curve") {
    throw new NexError({
      code: "KEY_INVALID",
      message: "Cannot use an xkey seed (SX…) as a signing key",
      hint: "An issuer seed begins with SA; xkey seeds only seal environments",
    });
  }
  return new Ed25519Key(seed.kind, seed.bytes);
}

/** Whether the signature was made by the owner of the public key. False, never an error, for a text that is no key. */
export function verifySignature(publicKey: string, data: Uint8Array, signature: Uint8Array): boolean {
  const key = decodePublicKey(publicKey);
  if (key === undefined || key.kind === "curve" || signature.length !== 64) return false;
  try {
    const der = Buffer.concat([SPKI_PREFIX, key.bytes]);
    return verify(null, data, createPublicKey({ key: der, format: "der", type: "spki" }), signature);
  } catch {
    return false;
  }
}

/** Whether the text is a public key, of the kind if one is given. */
export function isPublicKey(text: string, kind?: KeyKind): boolean {
  const key = decodePublicKey(text);
  return key !== undefined && (kind === undefined || key.kind === kind);
}

class Ed25519Key implements SigningKey {
  readonly kind: SigningKeyKind;
  readonly publicKey: string;
  readonly #seed: NkeyParts;
  readonly #privateKey: KeyObject;

  constructor(kind: SigningKeyKind, seed: Uint8Array) {
    this.kind = kind;
    this.#seed = { kind, bytes: Uint8Array.from(seed) };
    const der = Buffer.concat([PKCS8_PREFIX, seed]);
    this.#privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const spki = createPublicKey(this.#privateKey).export({ format: "der", type: "spki" });
    this.publicKey = encodePublicKey({ kind, bytes: spki.subarray(-32) });
  }

  seedText(): string {
    return encodeSeed(this.#seed);
  }

  sign(data: Uint8Array): Uint8Array {
    return sign(null, data, this.#privateKey);
  }
}

/** DER around a raw Ed25519 seed and a raw public key (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
