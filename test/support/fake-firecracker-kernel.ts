import { closeSync, openSync, readSync } from "node:fs";

/** Throws as Firecracker does when a kernel is no ELF file. */
export function requireElf(path: string): void {
  const file = openSync(path, "r");
  const magic = Buffer.alloc(4);
  readSync(file, magic, 0, 4, 0);
  closeSync(file);
  if (magic.toString("latin1") !== "\u007fELF")
    throw new Error("Cannot load kernel due to invalid ELF magic");
}
