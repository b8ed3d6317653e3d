/** The guest's end of the memory that it shares with the host, see `../mailbox.ts`. */
export interface GuestMailbox {
  /** A copy of the bytes that lie in it. */
  readonly take: (length: number) => Uint8Array;
  /** Puts bytes in; gives their number, or the bytes themselves when they do not fit. */
  readonly put: (bytes: Uint8Array) => number | Uint8Array;
}

/**
 * Runs inside the isolate, from its own source text: refers to nothing outside its body, and takes what it calls before the
 * function's code runs. The function never gets hold of the memory.
 */
export function guestMailbox(memory: SharedArrayBuffer): GuestMailbox {
  const { apply, get, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const Bytes = Uint8Array;
  const copyFrom = get(Bytes.prototype, "set");
  const lengthOf = getOwnPropertyDescriptor(getPrototypeOf(Bytes.prototype) as object, "byteLength")?.get;
  const box = new Bytes(memory);
  const size = box.length;
  return {
    take(length) {
      const bytes = new Bytes(length);
      apply(copyFrom, bytes, [new Bytes(memory, 0, length)]);
      return bytes;
    },
    put(bytes) {
      const length = lengthOf === undefined ? size + 1 : (apply(lengthOf, bytes, []) as number);
      if (length > size) return bytes;
      apply(copyFrom, box, [bytes]);
      return length;
    },
  };
}
