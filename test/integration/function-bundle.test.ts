// The agent is one bundled file: the code that runs inside isolates must survive the bundler.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempDisposable, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildModule, writeBytes } from "../support/wasm-builder.ts";
import type { FunctionJob } from "./fixtures/function-process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("Functions run from a single bundled file, isolated-vm beside it", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "nex-bundle-"));
  const outfile = join(folder.path, "agent.mjs");
  await build({
    entryPoints: [join(ROOT, "test/integration/fixtures/function-process.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    external: ["isolated-vm"],
    logLevel: "silent",
  });
  await symlink(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
  const limits = { timeoutMs: 5000, memoryMiB: 32 };
  const javascript = `(subject) => { console.log({ subject }); try { return hostServices.kv.get() } catch (e) { return e } }`;
  const hello = { wasi: ["fd_write"], start: writeBytes(0, 1, 100, 2), data: [{ offset: 100, bytes: "hi" }] };
  assert.deepEqual(
    await runBundle(outfile, {
      type: "v8",
      source: encode(Buffer.from(javascript)),
      limits,
      subjects: ["a"],
    }),
    [
      ["log", "info", '{ subject: "a" }'],
      ["succeeded", '"key is required"'],
    ],
  );
  assert.deepEqual(
    await runBundle(outfile, {
      type: "wasm",
      source: encode(buildModule(hello)),
      limits,
      subjects: ["a", "b"],
    }),
    [
      ["succeeded", "hi"],
      ["succeeded", "hi"],
    ],
  );
});

function encode(source: Uint8Array): string {
  return Buffer.from(source).toString("base64");
}

/** What the bundle prints, logs first: they take another way than results. */
async function runBundle(file: string, job: FunctionJob): Promise<unknown[]> {
  const child = spawn(process.execPath, [file, JSON.stringify(job)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = (await text(child.stdout)).split("\n").filter((line) => line !== "");
  const events = lines.map((line) => JSON.parse(line) as [string, ...unknown[]]);
  return events.sort(([a], [b]) => Number(b === "log") - Number(a === "log"));
}
