import { spawnSync } from "node:child_process";

/** Why C can't be built for WebAssembly here; false when it can. */
export function whyNoCompiler(): string | false {
  const source = '#include <stdio.h>\nint main(void) { return puts(""); }\n';
  const argv = ["--target=wasm32-wasi", "-x", "c", "-", "-o", "/dev/null"];
  const { status, error, stderr } = spawnSync("clang", argv, { input: source, encoding: "utf8" });
  if (status === 0) return false;
  return `clang can't build for wasm32-wasi here: ${error?.message ?? stderr.split("\n")[0] ?? ""}`;
}
