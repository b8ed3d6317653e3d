import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { ECHO_SERVICE_DIRECTORY, startEchoProcess } from "./examples-echo-process.ts";

const MACHINES = { "linux-x64": 0x3e, "linux-arm64": 0xb7 };
const LARGEST = 150_000;
const PT_INTERP = 3;

/** What the header of a 64-bit little-endian ELF file says. */
function readElf(file: Buffer) {
  const first = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  const count = file.readUInt16LE(56);
  return {
    magic: file.toString("latin1", 0, 4),
    is64Bit: file[4] === 2,
    machine: file.readUInt16LE(18),
    programHeaders: Array.from({ length: count }, (_, index) => file.readUInt32LE(first + index * size)),
  };
}

function reasonWithoutGcc(): string | false {
  if (process.platform !== "linux") return "the echo service is for Linux";
  return spawnSync("gcc", ["--version"]).error === undefined ? false : "this machine has no gcc";
}

describe("Committed echo service", () => {
  for (const [folder, machine] of Object.entries(MACHINES)) {
    it(`is a small static 64-bit executable for ${folder}`, async () => {
      const path = join(ECHO_SERVICE_DIRECTORY, "bin", folder, "echoservice");
      const elf = readElf(await readFile(path));
      assert.deepEqual([elf.magic, elf.is64Bit, elf.machine], ["\u007fELF", true, machine]);
      assert.ok(elf.programHeaders.length > 0);
      assert.ok(!elf.programHeaders.includes(PT_INTERP), "no program interpreter");
      const { size, mode } = await stat(path);
      assert.ok(size < LARGEST, `${size} bytes`);
      assert.equal(mode & 0o111, 0o111);
    });
  }

  it("has the sums of SHA256SUMS", async () => {
    const sums: string[] = [];
    for (const folder of Object.keys(MACHINES).toSorted()) {
      const path = `bin/${folder}/echoservice`;
      const content = await readFile(join(ECHO_SERVICE_DIRECTORY, path));
      sums.push(`${createHash("sha256").update(content).digest("hex")}  ${path}\n`);
    }
    assert.equal(await readFile(join(ECHO_SERVICE_DIRECTORY, "SHA256SUMS"), "utf8"), sums.join(""));
  });

  it(
    "has sources that compile without a warning and behave alike",
    { skip: reasonWithoutGcc() },
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "nex-test-echo-"));
      try {
        const program = join(directory, "echoservice");
        const source = join(ECHO_SERVICE_DIRECTORY, "src");
        const files = (await readdir(source)).filter((file) => file.endsWith(".c"));
        const flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Os", "-static"];
        await promisify(execFile)("gcc", [
          ...flags,
          "-o",
          program,
          ...files.map((file) => join(source, file)),
        ]);
        assert.ok(!readElf(await readFile(program)).programHeaders.includes(PT_INTERP));
        await using echo = startEchoProcess({ NATS_URL: "nats://user:hush@host:0" }, program);
        assert.deepEqual(await echo.exit, {
          code: 1,
          signal: null,
          stdout: "",
          stderr: "Cannot read NATS_URL: the port is not between 1 and 65535",
        });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  );
});
