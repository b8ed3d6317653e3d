// Who may import whom: the table of docs/architecture.md, held over the import specifiers of every source file.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const source = join(dirname(dirname(fileURLToPath(import.meta.url))), "src");

/** Folder of the importing file -> folders it may import besides `lib` and itself. The longest matching folder counts. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  authoring: [],
  "control-api": [],
  "agent-api": [],
  nats: [],
  "internal-nats": ["control-api", "nats", "agent-api"],
  sandbox: [],
  functions: ["host-services/guest"],
  "host-services/guest": [],
  "host-services/host": [],
  agent: ["agent-api", "functions", "host-services/guest"],
  node: ["control-api", "agent-api", "nats", "internal-nats", "sandbox", "host-services/host", "preflight"],
  preflight: ["sandbox", "nats"],
  rootfs: [],
  cli: [
    "control-api",
    "agent-api",
    "nats",
    "internal-nats",
    "sandbox",
    "node",
    "preflight",
    "rootfs",
    "host-services/host",
  ],
};

/** Files that may read `process.env` and `process.argv`: the command line and the agent's entry point. */
const READS_PROCESS = /^(cli\/|agent\/main\.ts$)/;

const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

test("every source folder is in the table", () => {
  for (const file of files) assert.ok(folderOf(file), `src/${file} lies in no folder of the table`);
});

test("imports keep to the table", () => {
  const broken = files.flatMap((file) =>
    importsOf(file).flatMap((target) => {
      const from = folderOf(file);
      const to = folderOf(target);
      const fine =
        to !== undefined &&
        (from === to || to === "lib" || (from !== undefined && ALLOWED[from]?.includes(to)));
      return fine ? [] : [`src/${file} imports src/${target}`];
    }),
  );
  assert.deepEqual(broken, []);
});

test("only the command line and the agent's entry point read the process environment and arguments", () => {
  const broken = files.filter(
    (file) =>
      !READS_PROCESS.test(file) &&
      !file.endsWith(".test.ts") &&
      /\bprocess\.(env|argv)\b/.test(withoutComments(readFileSync(join(source, file), "utf8"))),
  );
  assert.deepEqual(broken, []);
});

test("no source file is longer than 300 lines", () => {
  const long = files.filter((file) => readFileSync(join(source, file), "utf8").split("\n").length > 301);
  assert.deepEqual(long, []);
});

function folderOf(file: string): string | undefined {
  return Object.keys(ALLOWED)
    .filter((folder) => file.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function importsOf(file: string): string[] {
  const text = withoutComments(readFileSync(join(source, file), "utf8"));
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)]
    .map(([, specifier]) => relative(source, join(source, dirname(file), specifier ?? "")))
    .filter((target) => target.endsWith(".ts") && !target.startsWith("../test/"));
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}
