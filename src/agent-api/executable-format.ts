import { arch, platform } from "node:os";

/** ELF machine numbers (`e_machine`) of the processors that Node runs on. */
const ELF_MACHINES: Readonly<Record<string, number>> = {
  x64: 0x3e,
  arm64: 0xb7,
  ia32: 0x03,
  arm: 0x28,
  riscv64: 0xf3,
};

/**
 * Why Linux would not execute this file: neither a script with an interpreter line nor an ELF program of this
 * machine. Undefined when it would, and on other systems, where the system says it when the program is started.
 */
export function executionProblem(program: Uint8Array): string | undefined {
  if (platform() !== "linux") return undefined;
  if (Buffer.from(program.subarray(0, 2)).toString("latin1") === "#!") return undefined;
  const elf = readElf(program);
  if (elf === undefined) return "exec format error: neither an ELF program nor a script that begins with #!";
  return machineProblem(elf);
}

/**
 * Why a program cannot run in a machine of its own, which holds nothing else (protocol.md 8.1): it has to be a static
 * 64-bit ELF program for this processor. Undefined when it is.
 */
export function sandboxProblem(program: Uint8Array): string | undefined {
  const elf = readElf(program);
  if (elf === undefined) return "failed to open source binary: it is not an ELF program";
  if (elf.bits !== 64) return "failed to open source binary: it is not a 64-bit program";
  const problem = machineProblem(elf);
  if (problem !== undefined) return problem;
  switch (elf.linkage) {
    case "static":
      return undefined;
    case "dynamic":
      return "file failed static link check: native binary contains at least one dynamically linked dependency";
    case "broken":
      return "failed to open source binary: its program headers lie outside the file";
  }
}

interface Elf {
  readonly bits: 32 | 64;
  readonly machine: number;
  /** `dynamic`: it names a program interpreter. Read for 64-bit programs only. */
  readonly linkage: "static" | "dynamic" | "broken";
}

/** `p_type` of the program header that names an interpreter. */
const PT_INTERP = 3;
const HEADER_BYTES = 64;

/** Reads an ELF header (its layout: the System V ABI, chapter "Object Files"); undefined for anything else. */
function readElf(program: Uint8Array): Elf | undefined {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  if (program.length < 20 || view.getUint32(0) !== 0x7f454c46) return undefined;
  const little = view.getUint8(5) !== 2;
  const machine = view.getUint16(18, little);
  if (view.getUint8(4) !== 2) return { bits: 32, machine, linkage: "static" };
  return { bits: 64, machine, linkage: linkageOf(view, little) };
}

function linkageOf(view: DataView, little: boolean): Elf["linkage"] {
  if (view.byteLength < HEADER_BYTES) return "broken";
  const start = Number(view.getBigUint64(32, little));
  const [size, count] = [view.getUint16(54, little), view.getUint16(56, little)];
  if (count === 0 || size < 4 || start + size * count > view.byteLength) return "broken";
  for (let index = 0; index < count; index += 1) {
    if (view.getUint32(start + index * size, little) === PT_INTERP) return "dynamic";
  }
  return "static";
}

function machineProblem({ machine }: Elf): string | undefined {
  const expected = ELF_MACHINES[arch()];
  if (expected === undefined || machine === expected) return undefined;
  return `exec format error: the program is for another processor (ELF machine ${machine}, this host is ${arch()})`;
}
