import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { inspectWorkloadFile } from "./workload-file.ts";

const directory = mkdtempSync(join(tmpdir(), "nex-test-files-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, content: Uint8Array | string, mode = 0o644): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode });
  return path;
}

function elf(machine: number, bigEndian = false): Buffer {
  const header = Buffer.alloc(64);
  header.write("\u007fELF", "latin1");
  header[4] = 2;
  header[5] = bigEndian ? 2 : 1;
  if (bigEndian) header.writeUInt16BE(machine, 18);
  else header.writeUInt16LE(machine, 18);
  return header;
}

function machO(cpuType: number): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt32LE(0xfeedfacf, 0);
  header.writeUInt32LE(cpuType, 4);
  return header;
}

function pe(machine: number, offset = 0x80): Buffer {
  const image = Buffer.alloc(offset + 24);
  image.write("MZ", "latin1");
  image.writeUInt32LE(offset, 0x3c);
  image.write("PE\0\0", offset, "latin1");
  image.writeUInt16LE(machine, offset + 4);
  return image;
}

describe("inspectWorkloadFile", () => {
  const platforms: readonly (readonly [name: string, content: Buffer, os: string, arch: string])[] = [
    ["elf-amd64", elf(0x3e), "linux", "amd64"],
    ["elf-arm64", elf(0xb7), "linux", "arm64"],
    ["pe-amd64", pe(0x8664), "windows", "amd64"],
    ["pe-arm64", pe(0xaa64), "windows", "arm64"],
    ["pe-far-header", pe(0x8664, 0x1f0), "windows", "amd64"],
    ["mach-amd64", machO(0x01000007), "darwin", "amd64"],
    ["mach-arm64", machO(0x0100000c), "darwin", "arm64"],
  ];
  for (const [name, content, os, arch] of platforms) {
    test(`recognises ${name}`, async () => {
      const found = await inspectWorkloadFile(file(name, content));
      assert.deepEqual([found.type, found.platform], ["native", { os, arch }]);
    });
  }

  const unknown: readonly (readonly [name: string, content: Buffer | string, reason: RegExp])[] = [
    ["text", "hello", /unsupported binary file type/],
    ["riscv", elf(0xf3), /unsupported ELF machine 0xf3/],
    ["big-endian", elf(0x15, true), /unsupported ELF machine 0x15/],
    ["short-elf", "\u007fELF", /unsupported binary file type/],
    ["short-mz", "MZ", /unsupported binary file type/],
    ["mz-nowhere", pe(0x8664).fill(0xff, 0x3c, 0x40), /unsupported binary file type/],
    ["pe-386", pe(0x14c), /unsupported PE machine 0x14c/],
    ["mach-ppc", machO(0x01000012), /unsupported Mach-O machine/],
  ];
  for (const [name, content, reason] of unknown) {
    test(`refuses ${name} unless it is executable`, async () => {
      await assert.rejects(inspectWorkloadFile(file(name, content)), {
        code: "WORKLOAD_FILE_INVALID",
        message: reason,
      });
      const found = await inspectWorkloadFile(file(`${name}-x`, content, 0o755));
      assert.equal(found.platform, undefined);
      assert.match(found.platformUnknown ?? "", reason);
    });
  }

  test("infers the type from the name and lets --type win", async () => {
    const type = async (name: string, given?: "native" | "v8" | "wasm"): Promise<string> =>
      (await inspectWorkloadFile(file(name, elf(0x3e)), given)).type;
    assert.deepEqual(
      await Promise.all([type("a.js"), type("a.JS"), type("a.wasm"), type("a.bin"), type("a.sh", "v8")]),
      ["v8", "v8", "wasm", "native", "v8"],
    );
  });

  test("names the workload after the file, without dots", async () => {
    const name = async (path: string): Promise<string> =>
      (await inspectWorkloadFile(file(path, elf(0x3e)))).name;
    assert.deepEqual(await Promise.all([name("echo.js"), name("echofunction.wasm"), name("a.b.c_d-1")]), [
      "echojs",
      "echofunctionwasm",
      "abc_d-1",
    ]);
  });

  test("refuses what cannot be a workload, each with its reason", async () => {
    mkdirSync(join(directory, "folder"));
    const table: readonly (readonly [path: string, reason: RegExp])[] = [
      [join(directory, "missing.js"), /there is no such file/],
      [join(directory, "folder"), /not a regular file/],
      [file("empty.js", ""), /it is empty/],
      [file("with space.js", "x"), /"with spacejs" is no workload name/],
      [file("...", "x"), /"" is no workload name/],
    ];
    for (const [path, message] of table) {
      await assert.rejects(inspectWorkloadFile(path), { code: "WORKLOAD_FILE_INVALID", message });
    }
  });
});
