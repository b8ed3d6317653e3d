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
  const start = Buffer.from(program.subarray(0, 20));
  if (start.toString("latin1", 0, 2) === "#!") return undefined;
  if (start.toString("latin1", 0, 4) !== "\u007fELF" || start.length < 20) {
    return "exec format error: neither an ELF program nor a script that begins with #!";
  }
  const machine = start[5] === 2 ? start.readUInt16BE(18) : start.readUInt16LE(18);
  const expected = ELF_MACHINES[arch()];
  if (expected === undefined || machine === expected) return undefined;
  return `exec format error: the program is for another processor (ELF machine ${machine}, this host is ${arch()})`;
}
