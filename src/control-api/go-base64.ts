/** The alphabets in use: `standard` with padding, `url` without. */
export type Base64Variant = "standard" | "url";

/**
 * Decodes base64 as strictly as Go's encoding/base64: CR and LF are skipped, anything else outside the alphabet is an
 * error, padding must be right. An error is the offset that Go reports (`illegal base64 data at input byte N`).
 */
export function decodeGoBase64(text: string, variant: Base64Variant): Uint8Array | number {
  const padded = variant === "standard";
  const foreign = text.search(padded ? /[^A-Za-z0-9+/\r\n]/u : /[^A-Za-z0-9_\-\r\n]/u);
  const symbols = (foreign === -1 ? text : text.slice(0, foreign)).replaceAll(/[\r\n]/gu, "");
  const left = symbols.length % 4;
  if (foreign === -1) {
    if (left === 1 || (padded && left > 0)) return text.length - left;
  } else {
    const offset = padded && text.charAt(foreign) === "=" ? paddingError(text, foreign, left) : foreign;
    if (offset !== undefined) return offset;
  }
  return Uint8Array.from(Buffer.from(symbols, padded ? "base64" : "base64url"));
}

/** Offset of the fault in the padding that begins at `start` after `left` characters of a group; undefined if none. */
function paddingError(text: string, start: number, left: number): number | undefined {
  if (left < 2) return start;
  let next = skipNewlines(text, start + 1);
  if (left === 2) {
    if (next === text.length) return text.length;
    if (text.charAt(next) !== "=") return next - 1;
    next = skipNewlines(text, next + 1);
  }
  return next < text.length ? next : undefined;
}

function skipNewlines(text: string, start: number): number {
  let index = start;
  while (text.charAt(index) === "\n" || text.charAt(index) === "\r") index++;
  return index;
}
