import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { arch } from "node:os";
import { test } from "node:test";
import { executionProblem, sandboxProblem } from "./executable-format.ts";

const linuxOnly =
  process.platform === "linux" ? {} : { skip: "other systems check programs when they start them" };

test("executionProblem accepts a program of this host and a script", linuxOnly, () => {
  assert.equal(executionProblem(readFileSync(process.execPath)), undefined);
  assert.equal(executionProblem(Buffer.from("#!/bin/sh\n")), undefined);
});

test("executionProblem names text, empty files and programs of other processors", linuxOnly, () => {
  assert.match(executionProblem(Buffer.from("hello")) ?? "", /neither an ELF program nor a script/);
  assert.match(executionProblem(new Uint8Array(0)) ?? "", /neither an ELF program nor a script/);
  const foreign = Buffer.from(readFileSync(process.execPath).subarray(0, 64));
  foreign.writeUInt16LE(0x1234, 18);
  assert.match(executionProblem(foreign) ?? "", /another processor \(ELF machine 4660/);
});

/** A 64-bit ELF file with the given program headers, for this processor unless told otherwise. */
function elf(segments: readonly number[], { bits = 2, machine = ownMachine(), big = false } = {}): Buffer {
  const file = Buffer.alloc(64 + 56 * segments.length);
  file.write("\u007fELF", "latin1");
  file.set([bits, big ? 2 : 1, 1], 4);
  const u16 = (value: number, at: number): number =>
    big ? file.writeUInt16BE(value, at) : file.writeUInt16LE(value, at);
  u16(machine, 18);
  if (big) file.writeBigUInt64BE(64n, 32);
  else file.writeBigUInt64LE(64n, 32);
  u16(56, 54);
  u16(segments.length, 56);
  for (const [index, type] of segments.entries()) {
    if (big) file.writeUInt32BE(type, 64 + 56 * index);
    else file.writeUInt32LE(type, 64 + 56 * index);
  }
  return file;
}

function ownMachine(): number {
  return readFileSync(process.execPath).readUInt16LE(18);
}

const [LOAD, DYNAMIC, INTERPRETER] = [1, 2, 3];
const knownProcessor =
  process.platform === "linux" ? {} : { skip: "takes the processor's number from Node's own ELF file" };

test("sandboxProblem accepts static programs, also position-independent ones", knownProcessor, () => {
  assert.equal(sandboxProblem(elf([LOAD])), undefined);
  assert.equal(sandboxProblem(elf([LOAD, DYNAMIC])), undefined);
});

test("sandboxProblem names the interpreter of a dynamic program", knownProcessor, () => {
  const dynamic =
    "file failed static link check: native binary contains at least one dynamically linked dependency";
  assert.equal(sandboxProblem(elf([LOAD, INTERPRETER])), dynamic);
  assert.equal(sandboxProblem(readFileSync(process.execPath)), dynamic);
});

test("sandboxProblem refuses other classes, processors and formats, and never throws", knownProcessor, () => {
  assert.match(sandboxProblem(elf([LOAD], { bits: 1 })) ?? "", /not a 64-bit program/);
  const foreign = sandboxProblem(elf([LOAD], { machine: 0x1234, big: true })) ?? "";
  assert.match(foreign, new RegExp(`ELF machine 4660, this host is ${arch()}`));
  assert.match(
    sandboxProblem(Buffer.from("#!/bin/sh\n")) ?? "",
    /^failed to open source binary: it is not an ELF/,
  );
  const whole = elf([LOAD, LOAD]);
  for (let length = 0; length < whole.length; length += 1)
    assert.match(sandboxProblem(whole.subarray(0, length)) ?? "", /failed to open source binary/);
  whole.writeBigUInt64LE(2n ** 63n, 32);
  assert.match(sandboxProblem(whole) ?? "", /program headers lie outside/);
});
