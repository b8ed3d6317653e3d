// `npm run check`: format, types, type-aware lint, dead code, architecture; all of them run, the exit code tells.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { node24, root, setUp } from "./set-up.mjs";

await setUp();
const bin = (name) => join(root, "node_modules", ".bin", name);
const checks = [
  ["format", bin("oxfmt"), ["--check", "."]],
  ["types", bin("tsc"), ["-p", "."]],
  ["lint", bin("oxlint"), ["--type-aware", "--deny-warnings"]],
  ["dead code", bin("knip"), []],
  ["architecture", node24(), ["--test", "--test-reporter=dot", "test/architecture.test.ts"]],
];
let failed = false;
for (const [title, program, argv] of checks) {
  const start = performance.now();
  const { status } = spawnSync(program, argv, { cwd: root, stdio: "inherit" });
  failed ||= status !== 0;
  console.log(`${status === 0 ? "✔" : "✘"} ${title} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}
process.exit(failed ? 1 : 0);
