import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { WASI } from "node:wasi";
import type { WebAssemblyApi } from "../../src/functions/wasm/webassembly.ts";

const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
const examples = join(import.meta.dirname, "..", "..", "examples");
const echoModule = readFile(join(examples, "wasm", "echofunction", "echofunction.wasm"));

/** Runs the module as a command: `argv[1]` is the subject, stdin the payload; gives its stdout. */
async function runModule(
  subject: string,
  payload: Uint8Array,
): Promise<{ exitCode: number; stdout: Buffer }> {
  const directory = await mkdtemp(join(tmpdir(), "nex-test-wasm-"));
  try {
    await using stdin = await open(join(directory, "stdin"), "w+");
    await using stdout = await open(join(directory, "stdout"), "w+");
    await stdin.write(payload, 0, payload.length, 0);
    const wasi = new WASI({
      version: "preview1",
      args: ["echofunction.wasm", subject],
      env: {},
      stdin: stdin.fd,
      stdout: stdout.fd,
      returnOnExit: true,
    });
    const instance = new Instance(new Module(await echoModule), wasi.getImportObject());
    const exitCode = wasi.start(instance);
    return { exitCode, stdout: await readFile(join(directory, "stdout")) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe("WebAssembly echo function", () => {
  it("appends the subject to the payload, byte for byte", async () => {
    const payloads = [Buffer.alloc(0), Buffer.from("hello"), Buffer.from([0, 255, 254, 13, 10, 128])];
    for (const payload of [...payloads, Buffer.alloc(300_000, "large")]) {
      const { exitCode, stdout } = await runModule("wasm.echo", payload);
      assert.equal(exitCode, 0);
      assert.ok(stdout.equals(Buffer.concat([payload, Buffer.from("wasm.echo")])), `${payload.length} bytes`);
    }
  });

  it("is small, a WASI command, and imports nothing but WASI", async () => {
    const bytes = await echoModule;
    assert.ok(bytes.length < 100_000, `${bytes.length} bytes`);
    const compiled = new Module(bytes);
    const sources = new Set(Module.imports(compiled).map((entry) => entry.module));
    assert.deepEqual(sources, new Set(["wasi_snapshot_preview1"]));
    const names = Module.exports(compiled).map((entry) => entry.name);
    assert.ok(names.includes("_start") && names.includes("memory"));
  });
});

describe("JavaScript echo function", () => {
  it("logs the subject and returns the payload", async () => {
    const source = await readFile(join(examples, "js", "echofunction", "echo.js"), "utf8");
    const logged: unknown[] = [];
    const echo: unknown = runInNewContext(source, { console: { log: (line: unknown) => logged.push(line) } });
    assert.ok(typeof echo === "function");
    const payload = new Uint8Array([1, 2, 3]);
    assert.equal(echo("js.echo", payload), payload);
    assert.deepEqual(logged, ["js.echo"]);
  });
});
