/** The 32 characters of RFC 4648 base32, as nkeys use it. */
export const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** The 32 characters of base32-hex in lower case, as xids use it: texts sort like their bytes. */
export const BASE32_HEX = "0123456789abcdefghijklmnopqrstuv";

/** Base32 without padding, in the characters of `alphabet`. */
export function encodeBase32(bytes: Uint8Array, alphabet: string): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet.charAt((value >> bits) & 31);
    }
  }
  return bits > 0 ? text + alphabet.charAt((value << (5 - bits)) & 31) : text;
}
