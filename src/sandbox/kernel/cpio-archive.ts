/** A file of an archive that the kernel unpacks at its start. */
export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string;
  /** Type and permission bits, as in `stat`. */
  readonly mode: number;
  readonly content?: Uint8Array;
  /** Of a device. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/**
 * A cpio archive in the kernel's format ("newc", its Documentation/driver-api/early-userspace/buffer-format.rst). Owner is
 * root and times are 0, so the same entries give the same bytes.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const end = { path: "TRAILER!!!", mode: 0 };
  return Buffer.concat([...entries, end].flatMap((entry, index) => recordOf(entry, index + 1)));
}

function recordOf({ path, mode, content = new Uint8Array(), device }: CpioEntry, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const fields = [
    inode,
    mode,
    0, // owner
    0, // group
    1, // links
    0, // time
    content.length,
    0, // device that holds the file
    0,
    device?.major ?? 0,
    device?.minor ?? 0,
    name.length,
    0, // no checksum in this format
  ];
  const head = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, "0")).join("")}`);
  return [head, name, padding(head.length + name.length), Buffer.from(content), padding(content.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
