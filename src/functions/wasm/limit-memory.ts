import { BinaryReader, encodeNumber } from "./binary-reader.ts";

const PAGE_KIB = 64;
const SECTION = { memory: 5, start: 8 } as const;
const FLAG = { hasMaximum: 1, shared: 2, is64Bit: 4 } as const;

/** A module whose memory can't outgrow the limit. */
export interface LimitedModule {
  readonly bytes: Uint8Array;
  /** Code of the module runs as soon as it is instantiated. */
  readonly hasStartFunction: boolean;
}

/**
 * Writes a maximum into the module's memory section, because no engine setting limits linear memory. A module with
 * anything but one ordinary memory of its own is refused; that it has no imported one is checked where imports are.
 *
 * @throws {RangeError} when the bytes are no module
 * @throws {TypeError} when the module's memory is refused
 */
export function limitMemory(module: Uint8Array, maxMiB: number): LimitedModule {
  checkHeader(module);
  const maxPages = Math.floor((maxMiB * 1024) / PAGE_KIB);
  const parts: Uint8Array[] = [];
  const reader = new BinaryReader(module, 8);
  let copied = 0;
  let hasStartFunction = false;
  while (!reader.done) {
    const sectionStart = reader.position;
    const id = reader.byte();
    const length = reader.number();
    const contentStart = reader.position;
    reader.skip(length);
    if (id === SECTION.start) hasStartFunction = true;
    if (id !== SECTION.memory) continue;
    parts.push(module.subarray(copied, sectionStart));
    parts.push(limitedSection(new BinaryReader(module, contentStart, reader.position), maxPages));
    copied = reader.position;
  }
  parts.push(module.subarray(copied));
  return { bytes: concatenate(parts), hasStartFunction };
}

/** The memory section anew, with a maximum. */
function limitedSection(content: BinaryReader, maxPages: number): Uint8Array {
  const count = content.number();
  if (count > 1) throw new TypeError(`it has ${count} memories, only one is supported`);
  if (count === 0) return new Uint8Array(0);
  const flags = content.number();
  if ((flags & FLAG.is64Bit) !== 0) throw new TypeError("64-bit memory is not supported");
  if ((flags & FLAG.shared) !== 0) throw new TypeError("shared memory is not supported");
  if (flags > FLAG.hasMaximum) throw new TypeError(`memory of an unknown kind (flags ${flags})`);
  const initial = content.number();
  const maximum = flags === FLAG.hasMaximum ? content.number() : maxPages;
  if (!content.done) throw new RangeError(`malformed memory section at offset ${content.position}`);
  if (initial > maxPages) {
    throw new TypeError(`it needs ${toMiB(initial)} MiB of memory, the limit is ${toMiB(maxPages)} MiB`);
  }
  const memory = [1, FLAG.hasMaximum, ...encodeNumber(initial), ...encodeNumber(Math.min(maximum, maxPages))];
  return Uint8Array.from([SECTION.memory, ...encodeNumber(memory.length), ...memory]);
}

function checkHeader(module: Uint8Array): void {
  const header = Buffer.from(module.subarray(0, 8)).toString("hex");
  if (header === "0061736d01000000") return;
  if (header.startsWith("0061736d")) {
    throw new RangeError(
      header === "0061736d0d000100"
        ? "it is a component, not a module"
        : `unknown version ${header.slice(8)}`,
    );
  }
  throw new RangeError("it does not start like a WebAssembly module");
}

function toMiB(pages: number): number {
  return Math.ceil((pages * PAGE_KIB) / 1024);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
