/** A file of an initramfs. `content` of a directory is undefined. */
export interface CpioEntry {
  readonly path: string;
  readonly mode: number;
  readonly content?: Uint8Array;
}

/** An archive that the kernel unpacks as initramfs ("newc", its Documentation/driver-api/early-userspace/buffer-format.rst). */
export function makeCpio(entries: readonly CpioEntry[]): Buffer {
  return Buffer.concat([...entries, { path: "TRAILER!!!", mode: 0 }].flatMap(encodeEntry));
}

function encodeEntry({ path, mode, content = Buffer.alloc(0) }: CpioEntry, index: number): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const fields = [index + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return [
    Buffer.from(header),
    name,
    Buffer.alloc(-(header.length + name.length) & 3),
    content,
    Buffer.alloc(-content.length & 3),
  ];
}
