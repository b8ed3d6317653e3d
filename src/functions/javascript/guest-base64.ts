import type { MakeDomException } from "./guest-errors.ts";

/**
 * `atob` and `btoa`. Runs inside the isolate, from its own source text: refers to nothing outside its body.
 */
export function guestBase64(domException: MakeDomException): Readonly<Record<string, object>> {
  const CHUNK = 8192;
  const { fromCharCode } = String;
  const { apply } = Reflect;
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const btoa = (input: unknown): string => {
    const binary = String(input);
    // oxlint-disable-next-line no-control-regex -- one byte starts with control characters
    if (/[^\u0000-\u00ff]/.test(binary))
      throw domException("the text has characters beyond one byte", "InvalidCharacterError");
    let text = "";
    for (let at = 0; at < binary.length; at += 3) {
      const left = binary.length - at;
      const bits =
        (binary.charCodeAt(at) << 16) |
        (left > 1 ? binary.charCodeAt(at + 1) << 8 : 0) |
        (left > 2 ? binary.charCodeAt(at + 2) : 0);
      text += ALPHABET.charAt(bits >> 18) + ALPHABET.charAt((bits >> 12) & 63);
      text += left > 1 ? ALPHABET.charAt((bits >> 6) & 63) : "=";
      text += left > 2 ? ALPHABET.charAt(bits & 63) : "=";
    }
    return text;
  };
  const atob = (input: unknown): string => {
    let text = String(input).replace(/[\t\n\f\r ]+/g, "");
    if (text.length % 4 === 0) text = text.replace(/={1,2}$/, "");
    if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text))
      throw domException("the text is not base64", "InvalidCharacterError");
    const bytes = new Uint8Array((text.length * 3) >> 2);
    let bits = 0;
    let held = 0;
    let written = 0;
    for (let index = 0; index < text.length; index++) {
      bits = ((bits << 6) | ALPHABET.indexOf(text.charAt(index))) & 0xffffff;
      held += 6;
      if (held < 8) continue;
      held -= 8;
      bytes[written++] = (bits >> held) & 0xff;
    }
    let binary = "";
    for (let at = 0; at < bytes.length; at += CHUNK)
      binary += apply(fromCharCode, undefined, bytes.subarray(at, at + CHUNK) as unknown as number[]);
    return binary;
  };

  return { atob, btoa };
}
