import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { executionProblem } from "./executable-format.ts";

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
