import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { findProgram } from "../../src/lib/find-program.ts";

const execute = promisify(execFile);

/** Why there is no C compiler here, or false. */
export async function noCompiler(): Promise<string | false> {
  return (await findProgram("gcc", { path: process.env["PATH"] ?? "" })) === undefined
    ? "there is no gcc"
    : false;
}

/** Compiles C source to a program that needs no library of the system it runs on. */
export async function compileStatic(source: string, output: string): Promise<void> {
  await writeFile(`${output}.c`, source);
  await execute("gcc", ["-static", "-O1", "-o", output, `${output}.c`]);
}
