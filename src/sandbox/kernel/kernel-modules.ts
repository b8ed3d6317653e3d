import { readFile, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { runTool } from "../../lib/run-tool.ts";
import { kernelInvalid } from "./kernel-invalid.ts";

/** A module, uncompressed. */
export interface KernelModule {
  /** With underscores: `virtio_net`. */
  readonly name: string;
  readonly content: Buffer;
}

/**
 * Modules and all they depend on, in the order in which they can be loaded, from the folder `lib/modules/{version}`. Names
 * that are built into the kernel (or unknown to it, with `optional`) are left out.
 */
export async function modulesInOrder(options: {
  readonly folder: string;
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** For programs that decompress. */
  readonly environment: Readonly<Record<string, string>>;
}): Promise<KernelModule[]> {
  const { folder, required, optional, environment } = options;
  const files = await moduleFiles(folder);
  const builtIn = new Set((await readText(join(folder, "modules.builtin"))).split("\n").map(moduleName));
  const ordered = new Map<string, KernelModule>();
  const add = async (name: string, isOptional: boolean): Promise<void> => {
    if (ordered.has(name) || builtIn.has(name)) return;
    const file = files.get(name);
    if (file === undefined) {
      if (isOptional) return;
      throw kernelInvalid(folder, `it has no module "${name}"`);
    }
    const content = await readModule(file, environment);
    for (const needed of dependenciesOf(content)) await add(needed, false);
    ordered.set(name, { name, content });
  };
  for (const name of required) await add(name, false);
  for (const name of optional) await add(name, true);
  return [...ordered.values()];
}

/** Names of the modules that a module says it needs, in its section `.modinfo`. */
function dependenciesOf(module: Buffer): string[] {
  const key = Buffer.from("\0depends=");
  const start = module.indexOf(key);
  if (start < 0) return [];
  const end = module.indexOf(0, start + key.length);
  const names = module.toString("latin1", start + key.length, end).split(",");
  return names.filter((name) => name !== "").map(moduleName);
}

async function moduleFiles(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(join(folder, "kernel"), { recursive: true }).catch((cause: unknown) => {
    throw kernelInvalid(folder, "it holds no modules", cause);
  });
  return new Map(
    entries
      .filter((path) => /\.ko(\.xz|\.zst)?$/.test(path))
      .map((path) => [moduleName(path), join(folder, "kernel", path)]),
  );
}

function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\..*)?$/, "")
    .replaceAll("-", "_");
}

async function readModule(path: string, environment: Readonly<Record<string, string>>): Promise<Buffer> {
  if (path.endsWith(".zst")) return promisify(zstdDecompress)(await readFile(path));
  if (!path.endsWith(".xz")) return readFile(path);
  await runTool({ program: "xz", argv: ["--decompress", "--force", path], environment, timeoutMs: 60_000 });
  return readFile(path.slice(0, -".xz".length));
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
