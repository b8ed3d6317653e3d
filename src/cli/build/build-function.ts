import { createHash } from "node:crypto";
import { access, constants, readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { errorText } from "../../lib/errors.ts";
import { buildFailed, bundleFunction } from "./bundle-function.ts";
import type { Bundle, BundleOrder } from "./bundle-function.ts";
import { isFunctionSource, sourceKind } from "./function-source.ts";
import type { SourceKind } from "./function-source.ts";

/** A function as it is uploaded. */
export interface BuiltFunction extends Bundle {
  readonly kind: SourceKind;
  /** Hex SHA-256 of the content. */
  readonly hash: string;
}

/**
 * Makes the artifact of a JavaScript or TypeScript function: modules are bundled, scripts stay as they are.
 *
 * @throws {NexError} `BUILD_FAILED`
 */
export async function buildFunction(order: BundleOrder): Promise<BuiltFunction> {
  const { path } = order;
  if (/\.d\.m?ts$/i.test(path)) throw buildFailed(path, "it holds declarations only");
  const kind = await readSource(path, async (file) => {
    await access(file, constants.R_OK);
    return sourceKind(file);
  });
  const bundle = kind === "module" ? await bundleFunction(order) : await takeScript(path);
  return { ...bundle, kind, hash: createHash("sha256").update(bundle.content).digest("hex") };
}

/** Hex SHA-256 of what the file would be uploaded as; undefined while it can't be built. */
export async function artifactHash(path: string): Promise<string | undefined> {
  try {
    if (isFunctionSource(path)) return (await buildFunction({ path })).hash;
    return createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  } catch {
    return undefined;
  }
}

/** Refuses files whose names say that they are no JavaScript and no TypeScript. */
export function checkFunctionSource(path: string): void {
  if (isFunctionSource(path)) return;
  const extension = extname(path);
  throw buildFailed(
    path,
    `"${extension}" is no extension of JavaScript or TypeScript`,
    "Functions are .ts, .mts, .js or .mjs files; .wasm files and executables are deployed as they are",
  );
}

async function takeScript(path: string): Promise<Bundle> {
  const content = await readSource(path, async (file) => readFile(file));
  return { content, inputs: [resolve(path)], warnings: [] };
}

async function readSource<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path);
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw buildFailed(path, missing ? "there is no such file" : errorText(cause), undefined, cause);
  }
}
