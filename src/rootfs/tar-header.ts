/** The values of a tar entry that an image needs. */
export interface TarHeader {
  /** As in the archive: `./etc/passwd`, `etc/passwd`. */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** `0` file, `1` hard link, `2` symbolic link, `5` directory, `x` `g` `L` `K` values for what follows. */
  readonly type: string;
  /** Of a link. */
  readonly target: string;
}

/** Reads the block before an entry. Throws an Error when it is none. */
export function parseTarHeader(block: Buffer): TarHeader {
  if (numberAt(block, 148, 8) !== checksum(block)) throw new Error("a header is damaged");
  const prefix = textAt(block, 257, 6).startsWith("ustar") && block[262] === 0 ? textAt(block, 345, 155) : "";
  const name = textAt(block, 0, 100);
  const type = textAt(block, 156, 1);
  return {
    path: prefix === "" ? name : `${prefix}/${name}`,
    mode: numberAt(block, 100, 8) & 0o7777,
    uid: numberAt(block, 108, 8),
    gid: numberAt(block, 116, 8),
    size: numberAt(block, 124, 12),
    type: type === "" ? (name.endsWith("/") ? "5" : "0") : type,
    target: textAt(block, 157, 100),
  };
}

/** Archives end with blocks of zeros. */
export function isEndOfArchive(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** The values of a pax header: records `LENGTH KEY=VALUE\n`. */
export function parsePaxRecords(content: Buffer): Partial<TarHeader> {
  let values: Partial<TarHeader> = {};
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.toString("latin1", at, space));
    if (space < 0 || !Number.isInteger(length) || length < 5)
      throw new Error("an extended header is damaged");
    const record = content.toString("utf8", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    values = { ...values, ...paxValue(record.slice(0, equals), record.slice(equals + 1)) };
    at += length;
  }
  return values;
}

function paxValue(key: string, value: string): Partial<TarHeader> {
  switch (key) {
    case "path":
      return { path: value };
    case "linkpath":
      return { target: value };
    case "size":
      return { size: Number(value) };
    case "uid":
      return { uid: Number(value) };
    case "gid":
      return { gid: Number(value) };
    default:
      return {};
  }
}

function textAt(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}

/** Octal digits, or GNU's big-endian bytes after a first byte of 0x80. */
function numberAt(block: Buffer, start: number, length: number): number {
  if (block[start] === 0x80) return Number(block.readBigUInt64BE(start + length - 8));
  return Number.parseInt(textAt(block, start, length).trim() || "0", 8);
}

/** Of all bytes, with spaces in place of the sum itself. */
function checksum(block: Buffer): number {
  return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}
