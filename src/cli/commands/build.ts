import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { artifactLocation, isWorkloadName, parseLocation } from "../../control-api/index.ts";
import type { ArtifactLocation } from "../../control-api/index.ts";
import { errorText } from "../../lib/errors.ts";
import { buildFunction, checkFunctionSource } from "../build/build-function.ts";
import type { BuiltFunction } from "../build/build-function.ts";
import { tellTypes, tellWarnings } from "../build/build-text.ts";
import { buildFailed } from "../build/bundle-function.ts";
import { checkTypes } from "../build/check-types.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import type { CommandContext } from "../command.ts";
import { jetStreamDomain, withConnection } from "../connection.ts";
import { uploadWorkload } from "../devrun/upload.ts";

/** Time to remove a half uploaded file after Ctrl-C. */
const CLEAN_UP_MS = 2000;
/** What stands in the commands that are shown when nothing was uploaded. */
const EXAMPLE_BUCKET = "FUNCTIONS";

/** `nex build`: what `nex devrun` would upload of a function, for `nex run`. */
export const build = defineCommand({
  description:
    "Makes the artifact of a function for 'nex run': TypeScript and modules are bundled with all they import, scripts stay as they are. Types are checked with the project's own TypeScript; problems are warnings. The artifact goes to a file, or with --upload to an object store.",
  arguments: {
    file: { help: "TypeScript (.ts, .mts) or JavaScript (.js, .mjs)", completes: "file" },
  },
  flags: {
    out: {
      kind: "string",
      short: "o",
      placeholder: "FILE",
      completes: "file",
      help: "Where to write the artifact; by default NAME.js in this folder, NAME being the file's name without dots",
    },
    upload: {
      kind: "string",
      placeholder: "URL",
      help: "Upload the artifact to nats://BUCKET/KEY; the bucket is made when it is missing",
    },
    minify: { kind: "boolean", help: "Make the code shorter, and harder to read" },
    json: jsonFlag,
  },
  examples: [
    "build hello.ts",
    "build hello.ts -o dist/hello.js --minify",
    "build hello.ts --upload nats://FUNCTIONS/hello",
  ],
  json: `{"name": "hellots", "file": "hellots.js" or null, "bytes": 1234, "hash": "SHA-256 in hex",
  "inputs": ["/…/hello.ts", …], "location": "nats://FUNCTIONS/hello" or null, "warnings": ["…", …]}`,
  run: async (context) => {
    const { flags, output, logger, signal } = context;
    const { file: path } = context.arguments;
    checkFunctionSource(path);
    const target = flags.upload === undefined ? undefined : parseTarget(flags.upload);
    const name = basename(path).replaceAll(".", "");
    const built = await buildFunction({ path, minify: flags.minify });
    tellWarnings(output, built.warnings);
    const checking =
      built.kind === "module"
        ? checkTypes({ path, inputs: built.inputs, signal })
        : Promise.resolve(undefined);

    const out = flags.out ?? (target === undefined ? `${name}.js` : undefined);
    if (out !== undefined) await writeArtifact(path, out, built);
    if (target !== undefined) await uploadArtifact(context, path, target, built);
    const check = await checking;
    signal.throwIfAborted();
    if (check !== undefined) tellTypes(output, logger, check);
    if (flags.json) {
      output.json({
        name,
        file: out ?? null,
        bytes: built.content.length,
        hash: built.hash,
        inputs: built.inputs,
        location: target === undefined ? null : locationText(target),
        warnings: [...built.warnings, ...(check?.kind === "checked" ? check.problems : [])],
      });
    } else resultLines({ path, name, out, target, built }).forEach(output.line);
  },
});

function parseTarget(url: string): ArtifactLocation {
  return artifactLocation(parseLocation(url));
}

async function writeArtifact(path: string, out: string, built: BuiltFunction): Promise<void> {
  if (resolve(out) === resolve(path))
    throw buildFailed(path, "the artifact would overwrite it", "Give another file with -o");
  try {
    await mkdir(dirname(out), { recursive: true });
    await writeFile(out, built.content);
  } catch (cause) {
    throw buildFailed(path, `"${out}" cannot be written: ${errorText(cause)}`, undefined, cause);
  }
}

async function uploadArtifact(
  context: Omit<CommandContext, "flags" | "arguments">,
  path: string,
  { bucket, key }: ArtifactLocation,
  { content }: BuiltFunction,
): Promise<void> {
  const domain = await jetStreamDomain(context);
  await withConnection(
    context,
    async (connection) =>
      uploadWorkload({
        connection,
        path,
        content,
        bucket,
        key,
        bytes: content.length,
        jetStreamDomain: domain,
        signal: context.signal,
      }),
    { graceMs: CLEAN_UP_MS },
  );
}

function resultLines(result: {
  readonly path: string;
  readonly name: string;
  readonly out: string | undefined;
  readonly target: ArtifactLocation | undefined;
  readonly built: BuiltFunction;
}): string[] {
  const { path, name, out, target, built } = result;
  const location = locationText(target ?? { bucket: EXAMPLE_BUCKET, key: name });
  const workload = isWorkloadName(name) ? name : "NAME";
  const files = built.inputs.length === 1 ? "1 file" : `${built.inputs.length} files`;
  return [
    ...(out === undefined ? [] : [`Wrote ${out}`]),
    ...(target === undefined ? [] : [`Uploaded ${location}`]),
    `Size: ${built.content.length} bytes, from ${files}`,
    `SHA-256: ${built.hash}`,
    ...(target === undefined ? ["", "Upload it with", `  nex build ${path} --upload ${location}`] : []),
    "",
    "Deploy it with",
    `  nex run ${location} NODE --type=v8 --name=${workload} --issuer=FILE --xkey=FILE --trigger_subject=SUBJECT`,
  ];
}

function locationText({ bucket, key }: ArtifactLocation): string {
  return `nats://${bucket}/${key}`;
}
