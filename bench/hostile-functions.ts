import type { TestDeploy } from "../test/support/deployer.ts";
import { buildModule, op } from "../test/support/wasm-builder.ts";

const javaScript = (name: string, source: string): TestDeploy => ({
  name,
  workloadType: "v8",
  artifact: source,
});

const webAssembly = (name: string, start: readonly number[]): TestDeploy => ({
  name,
  workloadType: "wasm",
  artifact: buildModule({ start }),
});

/** Functions that take as much as they get, by what they do. */
export const HOSTILE_FUNCTIONS: Readonly<Record<string, TestDeploy>> = {
  "endless loop": javaScript("loop", "() => { for (;;); }"),
  "endless loop, WebAssembly": webAssembly("wasmloop", op.loop(op.branch(0))),
  "memory bomb, heap": javaScript(
    "heap",
    "() => { const all = []; for (;;) all.push(new Array(100).fill({})); }",
  ),
  "memory bomb, buffers": javaScript(
    "buffers",
    "() => { const all = []; for (;;) all.push(new Uint8Array(1048576).fill(1)); }",
  ),
  "memory bomb, memory.grow": webAssembly("grow", [
    ...op.i32(100 * 16),
    ...op.growMemory,
    ...op.drop,
    ...op.i32(0),
    ...op.i32(7),
    ...op.i32(100 * 16 * 65_536),
    ...op.fillMemory,
  ]),
  "log flood": javaScript("logs", "() => { for (;;) console.log('x'.repeat(100)); }"),
  "promise that never resolves": javaScript("never", "() => new Promise(() => {})"),
  "regular expression": javaScript("regexp", "() => /^(a|a)*$/.test('a'.repeat(40) + 'b')"),
  "a thousand host calls": javaScript(
    "calls",
    "() => { for (let i = 0; i < 1000; i++) try { hostServices.kv.get('x') } catch {} }",
  ),
  "oversized reply": javaScript("oversized", "() => 'x'.repeat(8 * 1048576)"),
};
