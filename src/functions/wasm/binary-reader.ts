/** Reads the parts of a WebAssembly binary that are needed before it is compiled. Out of bounds is an error. */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get position(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** @throws {RangeError} at the end */
  byte(): number {
    const value = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
    if (value === undefined) throw new RangeError(`unexpected end at offset ${this.#at}`);
    this.#at += 1;
    return value;
  }

  /**
   * An unsigned LEB128 number of up to 32 bits.
   *
   * @throws {RangeError} when it is longer or ends early
   */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new RangeError(`number too large at offset ${this.#at}`);
  }

  /** A name: its length and UTF-8 bytes. */
  name(): string {
    const length = this.number();
    const start = this.#at;
    this.skip(length);
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length));
  }

  /** @throws {RangeError} beyond the end */
  skip(length: number): void {
    if (this.#at + length > this.#end) throw new RangeError(`unexpected end at offset ${this.#end}`);
    this.#at += length;
  }
}

/** Writes an unsigned LEB128 number. */
export function encodeNumber(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}
