/*
 * The text format of NATS keys: base32 without padding over prefix, 32 key bytes and a little-endian CRC-16/XMODEM.
 */
import { BASE32, encodeBase32 } from "../lib/base32.ts";

/** What a key is for. `curve` keys (xkeys) seal, all others sign. */
export type KeyKind = "account" | "cluster" | "curve" | "operator" | "server" | "user";

/** A decoded key. */
export interface NkeyParts {
  readonly kind: KeyKind;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
}

/** The public key as 56 characters. */
export function encodePublicKey({ kind, bytes }: NkeyParts): string {
  return encodeBase32(withChecksum(Uint8Array.from([PREFIXES[kind], ...bytes])), BASE32);
}

/** The seed as 58 characters. */
export function encodeSeed({ kind, bytes }: NkeyParts): string {
  const prefix = PREFIXES[kind];
  return encodeBase32(
    withChecksum(Uint8Array.from([SEED | (prefix >> 5), (prefix & 31) << 3, ...bytes])),
    BASE32,
  );
}

/** Reads a public key; undefined when it is none. */
export function decodePublicKey(text: string): NkeyParts | undefined {
  const raw = text.length === 56 ? checked(decodeBase32(text)) : undefined;
  const kind = raw === undefined ? undefined : KINDS.get(raw[0] ?? -1);
  return raw === undefined || kind === undefined ? undefined : { kind, bytes: raw.subarray(1) };
}

/** Reads a seed; undefined when it is none. */
export function decodeSeed(text: string): NkeyParts | undefined {
  const raw = text.length === 58 ? checked(decodeBase32(text)) : undefined;
  const [first, second] = raw ?? [];
  if (raw === undefined || first === undefined || second === undefined || (first & 0xf8) !== SEED)
    return undefined;
  const kind = KINDS.get(((first & 7) << 5) | ((second & 0xf8) >> 3));
  return kind === undefined ? undefined : { kind, bytes: raw.subarray(2) };
}

/** Hint for a text that is no seed; tells the frequent mistake of giving the public key. Never quotes the text. */
export function seedHint(text: string, otherwise: string): string {
  return decodePublicKey(text.trim()) === undefined
    ? otherwise
    : `This is a public key, not a seed. ${otherwise}`;
}

const PREFIXES: Readonly<Record<KeyKind, number>> = {
  account: 0x00,
  cluster: 0x10,
  curve: 0xb8,
  operator: 0x70,
  server: 0x68,
  user: 0xa0,
};
const KINDS = new Map(Object.entries(PREFIXES).map(([kind, prefix]) => [prefix, kind as KeyKind]));
const SEED = 0x90;

function decodeBase32(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const char of text) {
    const index = BASE32.indexOf(char);
    if (index === -1) return undefined;
    value = ((value << 5) | index) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 0xff);
    }
  }
  return Uint8Array.from(bytes);
}

function withChecksum(bytes: Uint8Array): Uint8Array {
  const checksum = crc16(bytes);
  return Uint8Array.from([...bytes, checksum & 0xff, checksum >> 8]);
}

/** The bytes without their checksum; undefined when it does not match. */
function checked(bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined || bytes.length < 3) return undefined;
  const body = bytes.subarray(0, -2);
  const [low, high] = bytes.subarray(-2);
  return low !== undefined && high !== undefined && crc16(body) === (low | (high << 8)) ? body : undefined;
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
}
