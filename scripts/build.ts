// `npm run build`: dist/ for the package (JavaScript and declarations by tsc), the agent as one file by esbuild, and
// build.json, which says what was built.
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const made = await mkdtemp(join(root, ".dist-"));
process.on("exit", () => rmSync(made, { recursive: true, force: true }));
await Promise.all([
  promisify(execFile)(
    join(root, "node_modules", ".bin", "tsc"),
    ["-p", "tsconfig.build.json", "--outDir", made],
    { cwd: root },
  ).catch((error: unknown) => {
    console.error((error as { stdout?: string }).stdout ?? error);
    process.exit(1);
  }),
  build({
    absWorkingDir: root,
    entryPoints: ["src/agent/main.ts"],
    outfile: join(made, "agent.js"),
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    external: ["isolated-vm"],
    // The NATS client is a CommonJS package that requires Node's modules.
    banner: {
      js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);',
    },
    sourcemap: "linked",
    logLevel: "warning",
  }),
]);
await writeFile(join(made, "build.json"), `${JSON.stringify(await buildInformation(), null, 2)}\n`);
// In one step, so that agents which start meanwhile find the old file or the new one.
await rm(join(root, "dist"), { recursive: true, force: true });
await chmod(made, 0o755);
await rename(made, join(root, "dist"));

/** The commit and its date, not the time of this run, so that a commit always gives the same package. */
async function buildInformation(): Promise<object> {
  const manifest = await readFile(join(root, "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { readonly version: string };
  try {
    const { stdout } = await promisify(execFile)("git", ["log", "-1", "--format=%h %cI"], { cwd: root });
    const [commit = "unknown", date = "unknown"] = stdout.trim().split(" ");
    return { version, commit, date };
  } catch {
    // No clone, or no git.
    return { version, commit: "unknown", date: "unknown" };
  }
}
