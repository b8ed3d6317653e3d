import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { errorText } from "../../lib/errors.ts";

/** What came of checking the types. */
export type TypeCheck =
  | {
      readonly kind: "checked";
      /** One problem each, as `hello.ts:3:7: …`, some with further lines. */
      readonly problems: readonly string[];
    }
  | { readonly kind: "skipped"; readonly reason: string };

/** What to check. */
export interface TypeCheckOrder {
  readonly path: string;
  /** Absolute paths of the files of the function; problems elsewhere in the project are only counted. */
  readonly inputs: readonly string[];
  readonly signal: AbortSignal;
}

const LIMIT_MS = 60_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** For a file without a `tsconfig.json`. */
const OWN_OPTIONS =
  "--strict --skipLibCheck --allowImportingTsExtensions --resolveJsonModule --target es2023 --module esnext --moduleResolution bundler".split(
    " ",
  );

/**
 * Checks the types with the TypeScript that is installed for the file, under the nearest `tsconfig.json`. Never
 * throws: a function runs also with wrong types.
 */
export async function checkTypes({ path, inputs, signal }: TypeCheckOrder): Promise<TypeCheck> {
  if (!inputs.some((input) => /\.[mc]?tsx?$/.test(input))) return skipped("there is no TypeScript in it");
  const file = resolve(path);
  const compiler = await findCompiler(file);
  if (compiler === undefined)
    return skipped("the project has no TypeScript (npm install --save-dev typescript)");
  const project = findProject(dirname(file));
  const target = project === undefined ? [...OWN_OPTIONS, file] : ["--project", project];
  const output = await runCompiler([compiler, "--noEmit", "--pretty", "false", ...target], {
    cwd: dirname(file),
    signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
  });
  if (output.kind === "failed") return skipped(output.reason);
  return { kind: "checked", problems: readProblems(output.text, dirname(file), new Set(inputs)) };
}

function skipped(reason: string): TypeCheck {
  return { kind: "skipped", reason };
}

async function findCompiler(file: string): Promise<string | undefined> {
  try {
    const manifest = createRequire(file).resolve("typescript/package.json");
    const { bin } = JSON.parse(await readFile(manifest, "utf8")) as {
      readonly bin?: { readonly tsc?: unknown };
    };
    return typeof bin?.tsc === "string" ? join(dirname(manifest), bin.tsc) : undefined;
  } catch {
    return undefined;
  }
}

function findProject(directory: string): string | undefined {
  const candidate = join(directory, "tsconfig.json");
  if (existsSync(candidate)) return candidate;
  const parent = dirname(directory);
  return parent === directory ? undefined : findProject(parent);
}

type CompilerOutput =
  | { readonly kind: "ended"; readonly text: string }
  | { readonly kind: "failed"; readonly reason: string };

async function runCompiler(
  argv: readonly string[],
  options: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<CompilerOutput> {
  const { promise, resolve: settle } = Promise.withResolvers<CompilerOutput>();
  execFile(process.execPath, argv, { ...options, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout) => {
    // The compiler exits with 1 or 2 when types are wrong.
    if (error === null || typeof error.code === "number") settle({ kind: "ended", text: stdout });
    else if (options.signal.aborted) settle({ kind: "failed", reason: "the check was ended" });
    else settle({ kind: "failed", reason: errorText(error) });
  });
  return promise;
}

/** Each problem begins a line with its file, or with `error` when it has none; further lines of it are indented. */
function readProblems(text: string, directory: string, inputs: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  let elsewhere = 0;
  let listed = false;
  for (const line of text.split(/\r?\n/)) {
    const [, file, row = "", column = "", problem = ""] = /^(\S.*?)\((\d+),(\d+)\): (.*)$/.exec(line) ?? [];
    if (file !== undefined) {
      listed = inputs.has(resolve(directory, file));
      if (listed) problems.push(`${file}:${row}:${column}: ${problem}`);
      else elsewhere += 1;
    } else if (line.startsWith("error ")) {
      listed = true;
      problems.push(line);
    } else if (listed && /^\s+\S/.test(line)) problems.push(`${problems.pop() ?? ""}\n${line}`);
  }
  if (elsewhere > 0) problems.push(`and ${elsewhere} in other files of the project`);
  return problems;
}
