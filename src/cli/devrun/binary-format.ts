import type { FileHandle } from "node:fs/promises";

/** Operating system and architecture that a native binary is made for, as nodes name them in their tags. */
export interface BinaryPlatform {
  readonly os: "linux" | "windows" | "darwin";
  readonly arch: "amd64" | "arm64";
}

/** What the first bytes of a file say. */
export type BinaryFormat =
  | { readonly kind: "known"; readonly platform: BinaryPlatform }
  /** Begins with `#!`: runs wherever its interpreter is. */
  | { readonly kind: "script" }
  | { readonly kind: "unknown"; readonly reason: string };

const HEADER_BYTES = 64;
const ELF_MACHINES = new Map([
  [0x3e, "amd64"],
  [0xb7, "arm64"],
] as const);
const PE_MACHINES = new Map([
  [0x8664, "amd64"],
  [0xaa64, "arm64"],
] as const);
const MACH_CPU_TYPES = new Map([
  [0x01000007, "amd64"],
  [0x0100000c, "arm64"],
] as const);

/** Reads the headers of an ELF, PE or 64-bit Mach-O file (protocol section 10.4). */
export async function readBinaryFormat(file: FileHandle): Promise<BinaryFormat> {
  const header = await readAt(file, 0, HEADER_BYTES);
  if (header.length >= 20 && header.readUInt32BE(0) === 0x7f454c46) {
    return format("linux", "ELF", ELF_MACHINES, machineField(header, 18, header[5] === 2));
  }
  if (header.length >= 8 && header.readUInt32BE(0) === 0xcffaedfe) {
    return format("darwin", "Mach-O", MACH_CPU_TYPES, header.readUInt32LE(4));
  }
  if (header.length >= HEADER_BYTES && header.toString("latin1", 0, 2) === "MZ") {
    const signature = await readAt(file, header.readUInt32LE(0x3c), 6);
    if (signature.length === 6 && signature.toString("latin1", 0, 4) === "PE\0\0") {
      return format("windows", "PE", PE_MACHINES, signature.readUInt16LE(4));
    }
  }
  if (header.toString("latin1", 0, 2) === "#!") return { kind: "script" };
  return { kind: "unknown", reason: "unsupported binary file type" };
}

function format(
  os: BinaryPlatform["os"],
  name: string,
  machines: ReadonlyMap<number, BinaryPlatform["arch"]>,
  machine: number,
): BinaryFormat {
  const arch = machines.get(machine);
  if (arch !== undefined) return { kind: "known", platform: { os, arch } };
  return { kind: "unknown", reason: `unsupported ${name} machine 0x${machine.toString(16)}` };
}

function machineField(header: Buffer, offset: number, bigEndian: boolean): number {
  return bigEndian ? header.readUInt16BE(offset) : header.readUInt16LE(offset);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
