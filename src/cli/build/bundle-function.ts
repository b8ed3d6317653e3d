/**
 * Bundles a function: TypeScript or a module with its imports becomes one script whose completion value is the default
 * export, which is what a node runs (protocol section 7.2).
 *
 * B1 the same sources give the same bytes, wherever they lie and whoever asks
 * B2 places are relative to the folder of the function, in messages as in the source map
 */
import { basename, dirname, join, resolve } from "node:path";
import type { BuildResult, Message, Plugin } from "esbuild";
import { errorText, NexError } from "../../lib/errors.ts";
import { nodeBuiltins } from "./node-builtins.ts";

/** What to bundle. */
export interface BundleOrder {
  readonly path: string;
  /** Shorten the code. Default false. */
  readonly minify?: boolean;
}

/** A function in one file. */
export interface Bundle {
  /** The script; ends with its source map. */
  readonly content: Uint8Array;
  /** Absolute paths of the files it is made of, itself first. */
  readonly inputs: readonly string[];
  /** One line each. */
  readonly warnings: readonly string[];
}

/** Largest artifact that a node takes unless it is configured otherwise; the node has the last word. */
const USUAL_BYTES = 5 * 1024 * 1024;

/** The language that every engine of a node knows, those of Go nodes included. */
const LANGUAGE = "es2023";
const RESULT = "nexFunction";
const ENTRY = "nex:entry";
const MAX_MESSAGES = 5;
const SOURCE_MAP = "\n//# sourceMappingURL=";

/**
 * Bundles the function in a file.
 *
 * @throws {NexError} `BUILD_FAILED`, with file, line and column of what is wrong
 */
export async function bundleFunction(order: BundleOrder): Promise<Bundle> {
  const path = resolve(order.path);
  const { outputFiles, metafile, warnings } = await runBundler(order, path);
  const texts = warnings.map(messageText);
  const inputs = Object.keys(metafile.inputs)
    .filter((name) => name !== ENTRY && !/^[\w-]{2,}:/.test(name))
    .map((name) => resolve(dirname(path), name))
    .filter((name) => name !== path && !name.startsWith(join(authoring(), "..")));
  const [output] = outputFiles;
  const whole = output?.contents ?? new Uint8Array(0);
  if (whole.length <= USUAL_BYTES) return { content: whole, inputs: [path, ...inputs], warnings: texts };
  const content = withoutMap(whole);
  texts.push(
    content.length <= USUAL_BYTES
      ? `the source map is left out, as with it the function is larger than ${USUAL_BYTES} bytes; stacks show places in the bundle`
      : `${content.length} bytes are more than most nodes take (${USUAL_BYTES}); import less, or make it shorter with "nex build --minify"`,
  );
  return { content, inputs: [path, ...inputs], warnings: texts };
}

/** An error of building. */
export function buildFailed(path: string, reason: string, hint?: string, cause?: unknown): NexError {
  return new NexError({
    code: "BUILD_FAILED",
    message: `Cannot build "${path}": ${reason}`,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

type Bundled = BuildResult<{ write: false; metafile: true }>;

async function runBundler({ path: given, minify = false }: BundleOrder, path: string): Promise<Bundled> {
  const directory = dirname(path);
  try {
    const { build } = await import("esbuild");
    return await build({
      absWorkingDir: directory,
      stdin: {
        contents: `import value from ${JSON.stringify(`./${basename(path)}`)};\n${RESULT} = value;\n`,
        resolveDir: directory,
        sourcefile: ENTRY,
        loader: "js",
      },
      outfile: join(directory, "bundle.js"),
      write: false,
      metafile: true,
      bundle: true,
      format: "iife",
      platform: "browser",
      conditions: ["nex", "worker", "module"],
      target: LANGUAGE,
      charset: "utf8",
      banner: { js: `var ${RESULT};` },
      footer: { js: `${RESULT};` },
      define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
      legalComments: "none",
      minify,
      sourcemap: "inline",
      sourcesContent: false,
      plugins: [ownModules, nodeBuiltins],
      logLevel: "silent",
    });
  } catch (cause) {
    throw failure(given, cause);
  }
}

/** `nex/functions` is this package, also where it is not installed. */
const ownModules: Plugin = {
  name: "nex-functions",
  setup: (build) => {
    build.onResolve({ filter: /^nex\/functions(?:\/globals)?$/ }, ({ path }) =>
      path.endsWith("/globals")
        ? { path, namespace: "nex-globals" }
        : { path: authoring(), sideEffects: false },
    );
    build.onLoad({ filter: /.*/, namespace: "nex-globals" }, () => ({ contents: "" }));
  },
};

/** In a clone a TypeScript file, in the package a JavaScript one, as this file is. */
function authoring(): string {
  const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
  return join(import.meta.dirname, "..", "..", "authoring", `index.${extension}`);
}

function failure(path: string, cause: unknown): NexError {
  const messages = messagesOf(cause);
  const [first] = messages;
  if (first === undefined) return buildFailed(path, errorText(cause), undefined, cause);
  if (first.location?.file === ENTRY && first.text.startsWith("No matching export")) {
    return buildFailed(
      path,
      "it has no default export",
      "Export the function: export default (subject, payload) => { … }",
      cause,
    );
  }
  const lines = messages.slice(0, MAX_MESSAGES).map(messageText);
  if (messages.length > MAX_MESSAGES) lines.push(`and ${messages.length - MAX_MESSAGES} more`);
  const hints = new Set(messages.map(hintOf).filter((hint) => hint !== undefined));
  return buildFailed(path, lines.join("\n"), hints.size === 0 ? undefined : [...hints].join("; "), cause);
}

function messagesOf(cause: unknown): readonly Message[] {
  const errors: unknown = cause instanceof Error && "errors" in cause ? cause.errors : undefined;
  return Array.isArray(errors) ? (errors as readonly Message[]) : [];
}

/** `hello.ts:3:5: what is wrong`. */
function messageText({ text: said, location }: Message): string {
  const text = said.replace(
    / is currently not supported with the "iife" output format$/,
    " does not work in functions",
  );
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}

function hintOf({ text, notes, pluginName }: Message): string | undefined {
  if (pluginName === nodeBuiltins.name) return notes[0]?.text;
  if (text.startsWith("Top-level await"))
    return "Await inside the function, and keep the result in a variable";
  const [, name] = /^Could not resolve "((?:@[^/"]+\/)?[^./"][^/"]*)/.exec(text) ?? [];
  return name === undefined ? undefined : `If it is a package: npm install ${name}`;
}

function withoutMap(content: Uint8Array): Uint8Array {
  const at = Buffer.from(content).lastIndexOf(SOURCE_MAP);
  return at < 0 ? content : content.slice(0, at + 1);
}
