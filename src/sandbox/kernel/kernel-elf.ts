const ELF64_LITTLE_ENDIAN = "7f454c460201";
const MACHINES: Readonly<Record<number, "x64" | "arm64">> = { 62: "x64", 183: "arm64" };
const PROGRAM_HEADER_BYTES = 56;
const NOTE_SEGMENT = 4;
/** XEN_ELFNOTE_PHYS32_ENTRY: the address at which a monitor starts the kernel (the PVH boot protocol). */
const PVH_NOTE = 18;

/** The architecture of a 64-bit ELF file; undefined for other files. */
export function elfMachine(file: Buffer): "x64" | "arm64" | undefined {
  if (file.length < 64 || file.toString("hex", 0, 6) !== ELF64_LITTLE_ENDIAN) return undefined;
  return MACHINES[file.readUInt16LE(18)];
}

/** Whether one of its notes gives the entry point of the PVH boot protocol. */
export function hasPvhEntry(file: Buffer): boolean {
  const start = Number(file.readBigUInt64LE(32));
  const count = file.readUInt16LE(56);
  for (let index = 0; index < count; index++) {
    const at = start + index * PROGRAM_HEADER_BYTES;
    if (at + PROGRAM_HEADER_BYTES > file.length) return false;
    if (file.readUInt32LE(at) !== NOTE_SEGMENT) continue;
    const offset = Number(file.readBigUInt64LE(at + 8));
    const size = Number(file.readBigUInt64LE(at + 32));
    if (holdsPvhNote(file.subarray(offset, offset + size))) return true;
  }
  return false;
}

function holdsPvhNote(notes: Buffer): boolean {
  for (let at = 0; at + 12 <= notes.length;) {
    const nameLength = notes.readUInt32LE(at);
    const name = notes.toString("latin1", at + 12, at + 12 + Math.max(0, nameLength - 1));
    if (name === "Xen" && notes.readUInt32LE(at + 8) === PVH_NOTE) return true;
    at += 12 + aligned(nameLength) + aligned(notes.readUInt32LE(at + 4));
  }
  return false;
}

function aligned(length: number): number {
  return Math.ceil(length / 4) * 4;
}
