// `npm run build`: dist/ for the package (JavaScript and declarations by tsc) and the agent as one file by esbuild.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await rm(join(root, "dist"), { recursive: true, force: true });
await Promise.all([
  promisify(execFile)(join(root, "node_modules", ".bin", "tsc"), ["-p", "tsconfig.build.json"], {
    cwd: root,
  }).catch((error: unknown) => {
    console.error((error as { stdout?: string }).stdout ?? error);
    process.exit(1);
  }),
  build({
    absWorkingDir: root,
    entryPoints: ["src/agent/main.ts"],
    outfile: "dist/agent.js",
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    external: ["isolated-vm"],
    sourcemap: "linked",
    logLevel: "warning",
  }),
]);
