import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { Script } from "node:vm";

/** What has to happen to a source before a node can run it. */
export type SourceKind =
  /** Runs as it is, byte for byte. */
  | "script"
  /** TypeScript, or a module: has to be bundled. */
  | "module";

const MODULE_EXTENSIONS: ReadonlySet<string> = new Set([".ts", ".mts", ".mjs"]);
const SCRIPT_EXTENSION = ".js";

/** Whether the name of a file says that it is a JavaScript or TypeScript function. */
export function isFunctionSource(path: string): boolean {
  const extension = extname(path).toLowerCase();
  return extension === SCRIPT_EXTENSION || MODULE_EXTENSIONS.has(extension);
}

/**
 * Tells the kind of a source: `.ts`, `.mts` and `.mjs` are modules, `.js` is one when it has imports or exports. What is
 * neither a script nor a module counts as a script: the node says what is wrong with it.
 */
export async function sourceKind(path: string): Promise<SourceKind> {
  const extension = extname(path).toLowerCase();
  if (MODULE_EXTENSIONS.has(extension)) return "module";
  if (extension !== SCRIPT_EXTENSION) return "script";
  const text = await readFile(path, "utf8");
  return /\b(?:import|export)\b/.test(text) && !isScript(text) ? "module" : "script";
}

/** A script has no imports and exports; a bare `function () {}` counts, as the runtime takes it (protocol section 7.2). */
function isScript(text: string): boolean {
  return [text, `0,${text}`].some((source) => {
    try {
      return new Script(source) instanceof Script;
    } catch {
      return false;
    }
  });
}
