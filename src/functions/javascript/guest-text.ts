/** Text and bytes, for the other parts of the guest and for the function. */
export interface GuestText {
  readonly globals: Readonly<Record<string, object>>;
  /** UTF-8 bytes; lone surrogates become U+FFFD. */
  readonly encode: (text: string) => Uint8Array<ArrayBuffer>;
  /** UTF-8 text; what is not UTF-8 becomes U+FFFD. A byte order mark stays. */
  readonly decode: (bytes: Uint8Array) => string;
  /** A view of the bytes of a buffer or a view; throws a `TypeError` for anything else. */
  readonly bytesOf: (value: unknown) => Uint8Array;
}

/**
 * `TextEncoder` and `TextDecoder`. Runs inside the isolate, from its own source text: refers to nothing
 * outside its body. The engine has no codec of its own, but `decodeURIComponent` is a strict UTF-8 decoder and
 * `encodeURIComponent` an encoder, both native and fast.
 */
export function guestText(): GuestText {
  const CHUNK = 8192;
  const { fromCharCode } = String;
  const { apply } = Reflect;
  const toText = decodeURIComponent;
  const fromText = encodeURIComponent;
  // The only native ways between bytes as characters and percent-encoding.
  const { escape: toPercents, unescape: fromPercents } = globalThis as unknown as {
    readonly escape: (text: string) => string;
    readonly unescape: (text: string) => string;
  };
  const isView: (value: unknown) => value is ArrayBufferView = Reflect.get(ArrayBuffer, "isView");

  const bytesOf = (value: unknown): Uint8Array => {
    if (isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    throw new TypeError("the input is neither an ArrayBuffer nor a view of one");
  };

  /** Each byte as the character of its number. */
  const binaryText = (bytes: Uint8Array): string => {
    if (bytes.length <= CHUNK) return apply(fromCharCode, undefined, bytes as unknown as number[]);
    let text = "";
    for (let at = 0; at < bytes.length; at += CHUNK)
      text += apply(fromCharCode, undefined, bytes.subarray(at, at + CHUNK) as unknown as number[]);
    return text;
  };
  const binaryBytes = (text: string): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
    return bytes;
  };

  // oxlint-disable-next-line no-control-regex -- ASCII starts with control characters
  const isAscii = (text: string): boolean => !/[^\u0000-\u007f]/.test(text);

  const encode = (text: string): Uint8Array<ArrayBuffer> =>
    binaryBytes(isAscii(text) ? text : fromPercents(fromText(text.toWellFormed())));

  /** Undefined when the bytes are not UTF-8. */
  const strictText = (bytes: Uint8Array): string | undefined => {
    const binary = binaryText(bytes);
    if (isAscii(binary)) return binary;
    try {
      return toText(toPercents(binary));
    } catch {
      return undefined;
    }
  };

  /** Where the second byte of a sequence may lie, by its first: the Encoding standard's bounds. */
  const lowest = (lead: number): number => (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80);
  const highest = (lead: number): number => (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf);
  const following = (lead: number): number =>
    lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  /** How many bytes from `at` on are the start of a sequence, its first included; 0 when no sequence starts there. */
  const prefixLength = (bytes: Uint8Array, at: number): number => {
    const lead = bytes[at] ?? 0;
    const wanted = following(lead);
    if (wanted === 0) return 0;
    let length = 1;
    while (length <= wanted && at + length < bytes.length) {
      const next = bytes[at + length] ?? 0;
      const [low, high] = length === 1 ? [lowest(lead), highest(lead)] : [0x80, 0xbf];
      if (next < low || next > high) break;
      length += 1;
    }
    return length;
  };

  const decode = (bytes: Uint8Array): string => {
    const strict = strictText(bytes);
    if (strict !== undefined) return strict;
    // Valid stretches natively, one U+FFFD for each longest start of a sequence that does not go on.
    let text = "";
    let start = 0;
    for (let at = 0; at < bytes.length;) {
      const lead = bytes[at] ?? 0;
      const length = lead < 0x80 ? 1 : prefixLength(bytes, at);
      if (lead < 0x80 || (length > 0 && length === following(lead) + 1)) {
        at += length;
        continue;
      }
      text += `${strictText(bytes.subarray(start, at)) ?? ""}\ufffd`;
      at += length === 0 ? 1 : length;
      start = at;
    }
    return text + (strictText(bytes.subarray(start)) ?? "");
  };

  /** Bytes at the end that may go on in the next chunk. */
  const openEnd = (bytes: Uint8Array): number => {
    for (let back = 1; back <= 3 && back <= bytes.length; back++) {
      const lead = bytes[bytes.length - back] ?? 0;
      if (lead >= 0x80 && lead < 0xc0) continue;
      const open = prefixLength(bytes, bytes.length - back) === back && back <= following(lead);
      return open ? back : 0;
    }
    return 0;
  };

  const UPPER_1252 =
    "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";
  const decode1252 = (bytes: Uint8Array): string =>
    binaryText(bytes).replace(/[\u0080-\u009f]/g, (char) => UPPER_1252.charAt(char.charCodeAt(0) - 0x80));
  /** The text of whole pairs; what is left open is a byte, or a high surrogate and perhaps a byte. */
  const decodeUtf16 = (bytes: Uint8Array, more: boolean): readonly [text: string, left: number] => {
    let pairs = bytes.length >> 1;
    const last = (bytes[pairs * 2 - 1] ?? 0) & 0xfc;
    if (more && pairs > 0 && last === 0xd8) pairs -= 1;
    const units: number[] = [];
    let text = "";
    for (let index = 0; index < pairs; index++) {
      units[units.length] = (bytes[index * 2] ?? 0) | ((bytes[index * 2 + 1] ?? 0) << 8);
      if (units.length === CHUNK) text += apply(fromCharCode, undefined, units.splice(0));
    }
    return [text + apply(fromCharCode, undefined, units), bytes.length - pairs * 2];
  };

  const LABELS: Readonly<Record<string, string>> = {
    __proto__: null as never,
    "utf-8": "utf-8",
    utf8: "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "utf-16le": "utf-16le",
    "utf-16": "utf-16le",
    "ucs-2": "utf-16le",
    unicode: "utf-16le",
    "windows-1252": "windows-1252",
    cp1252: "windows-1252",
    "x-cp1252": "windows-1252",
    latin1: "windows-1252",
    "iso-8859-1": "windows-1252",
    iso88591: "windows-1252",
    l1: "windows-1252",
    ascii: "windows-1252",
    "us-ascii": "windows-1252",
  };
  const NONE = new Uint8Array(0);

  class Decoder {
    readonly #encoding: string;
    readonly #fatal: boolean;
    readonly #ignoreBom: boolean;
    #open: Uint8Array = NONE;
    #started = false;
    constructor(label: unknown = "utf-8", options: { fatal?: unknown; ignoreBOM?: unknown } | null = {}) {
      const name = String(label).trim().toLowerCase();
      const encoding = LABELS[name];
      if (encoding === undefined) throw new RangeError(`the encoding "${name}" is not supported`);
      this.#encoding = encoding;
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBom = Boolean(options?.ignoreBOM);
    }
    get encoding(): string {
      return this.#encoding;
    }
    get fatal(): boolean {
      return this.#fatal;
    }
    get ignoreBOM(): boolean {
      return this.#ignoreBom;
    }
    decode(input?: unknown, options: { stream?: unknown } | null = {}): string {
      const more = Boolean(options?.stream);
      let bytes = input === undefined ? NONE : bytesOf(input);
      if (this.#open.length > 0) {
        const joined = new Uint8Array(this.#open.length + bytes.length);
        joined.set(this.#open);
        joined.set(bytes, this.#open.length);
        bytes = joined;
      }
      this.#open = NONE;
      let text = this.#text(bytes, more);
      if (!this.#started && text !== "" && !this.#ignoreBom && this.#encoding !== "windows-1252") {
        if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
        this.#started = true;
      }
      if (text !== "") this.#started = true;
      if (!more) this.#started = false;
      return text;
    }
    #text(bytes: Uint8Array, more: boolean): string {
      if (this.#encoding === "windows-1252") return decode1252(bytes);
      if (this.#encoding === "utf-16le") {
        const [text, left] = decodeUtf16(bytes, more);
        if (more) this.#open = bytes.slice(bytes.length - left);
        const whole = left > 0 && !more ? `${text}\ufffd` : text;
        if (this.#fatal && (!text.isWellFormed() || whole !== text)) throw this.#invalid();
        return whole.toWellFormed();
      }
      const left = more ? openEnd(bytes) : 0;
      const closed = left === 0 ? bytes : bytes.subarray(0, bytes.length - left);
      this.#open = left === 0 ? NONE : bytes.slice(bytes.length - left);
      if (!this.#fatal) return decode(closed);
      const text = strictText(closed);
      if (text === undefined) throw this.#invalid();
      return text;
    }
    #invalid(): TypeError {
      this.#open = NONE;
      this.#started = false;
      return new TypeError(`the data is not valid ${this.#encoding}`);
    }
    get [Symbol.toStringTag](): string {
      return "TextDecoder";
    }
  }

  class Encoder {
    get encoding(): string {
      return "utf-8";
    }
    encode(text: unknown = ""): Uint8Array {
      return encode(String(text));
    }
    encodeInto(text: unknown, target: Uint8Array): { read: number; written: number } {
      const source = String(text).toWellFormed();
      let read = 0;
      let written = 0;
      while (read < source.length) {
        const point = source.codePointAt(read) ?? 0;
        const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        if (written + size > target.length) break;
        if (size === 1) target[written] = point;
        else target.set(encode(String.fromCodePoint(point)), written);
        written += size;
        read += size === 4 ? 2 : 1;
      }
      return { read, written };
    }
    get [Symbol.toStringTag](): string {
      return "TextEncoder";
    }
  }

  return { globals: { TextEncoder: Encoder, TextDecoder: Decoder }, encode, decode, bytesOf };
}
