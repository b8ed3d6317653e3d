import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import { stop } from "esbuild";
import { NexError } from "../../lib/errors.ts";
import { buildFunction } from "./build-function.ts";
import type { BuiltFunction } from "./build-function.ts";

let directory = "";

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-test-build-"));
});
after(async () => {
  await stop();
  await rm(directory, { recursive: true, force: true });
});

/** Builds the first of some files in a folder of their own. */
async function build(
  files: Readonly<Record<string, string>>,
): Promise<BuiltFunction & { readonly folder: string }> {
  const folder = await mkdtemp(join(directory, "project-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const [first = ""] = Object.keys(files);
  return { ...(await buildFunction({ path: join(folder, first) })), folder };
}

/** Why files cannot be built: message after the path, and hint. */
async function failure(
  files: Readonly<Record<string, string>>,
): Promise<readonly [reason: string, hint: string | undefined]> {
  const error: unknown = await build(files).then(
    () => assert.fail("it was built"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof NexError && error.code === "BUILD_FAILED", String(error));
  return [error.message.replace(/^Cannot build ".*?": /, ""), error.hint];
}

/** The completion value of the artifact, as a node takes it. */
function completion({ content }: BuiltFunction): (...values: unknown[]) => unknown {
  const value: unknown = runInNewContext(Buffer.from(content).toString());
  assert.ok(typeof value === "function");
  return value as (...values: unknown[]) => unknown;
}

describe("buildFunction", () => {
  test("takes scripts as they are, byte for byte", async () => {
    const scripts = [
      "(subject, payload) => {\n  console.log(subject);\n  return payload;\n};\n",
      "\ufeff// import nothing, export nothing\nfunction (subject) { return 'import x' }",
      "const name = 'import'; async () => import(name)",
      "((",
      "() => 1 // \u{1f680}\r\n",
    ];
    for (const script of scripts) {
      const { content, kind, inputs, folder } = await build({ "echo.js": script });
      assert.equal(kind, "script");
      assert.deepEqual(Buffer.from(content), Buffer.from(script));
      assert.deepEqual(inputs, [join(folder, "echo.js")]);
    }
  });

  test("bundles modules of every extension into a script with the function as its value", async () => {
    const cases: readonly (readonly [name: string, text: string])[] = [
      ["a.ts", "export default (subject: string): string => subject;"],
      ["a.mts", "const run = <T,>(subject: T): T => subject;\nexport default run;"],
      ["a.mjs", "export default function (subject) { return subject }"],
      ["a.js", "import { run } from './b.js';\nexport { run as default };"],
      ["a.js", "export default async (subject) => (await import('./b.js')).run(subject);"],
    ];
    for (const [name, text] of cases) {
      const built = await build({ [name]: text, "b.js": "export const run = (subject) => subject;" });
      assert.equal(built.kind, "module");
      assert.equal(await completion(built)("heya"), "heya", text);
    }
  });

  test("bundles packages, JSON and nex/functions, and keeps this and the globals", async () => {
    const built = await build({
      "hello.ts": `import { defineFunction } from "nex/functions";
import type { NexFunction } from "nex/functions";
import "nex/functions/globals";
import shout from "shout";
import { word } from "@scope/words/one";
import data from "./data.json";
const checked: NexFunction = defineFunction((subject) => shout([subject, word, data.name, process.env.NODE_ENV].join()));
export default checked;`,
      "data.json": '{ "name": "ü" }',
      "node_modules/shout/package.json": '{ "name": "shout", "main": "index.js" }',
      "node_modules/shout/index.js": "module.exports = (text) => text.toUpperCase();",
      "node_modules/@scope/words/package.json":
        '{ "name": "@scope/words", "exports": { "./one": "./one.mjs" } }',
      "node_modules/@scope/words/one.mjs": "export const word = 'one';",
    });
    assert.equal(completion(built)("a"), "A,ONE,Ü,PRODUCTION");
    const [first = "", ...others] = built.inputs.map((input) => input.slice(built.folder.length + 1));
    assert.equal(first, "hello.ts");
    assert.deepEqual(others.toSorted(), [
      "data.json",
      "node_modules/@scope/words/one.mjs",
      "node_modules/shout/index.js",
    ]);
  });

  test("makes the same bytes wherever the sources lie", async () => {
    const files = {
      "a.ts": "import { b } from './lib/b.ts';\nexport default () => b;",
      "lib/b.ts": "export const b = 1;",
    };
    const [one, other] = [await build(files), await build(files)];
    assert.notEqual(one.folder, other.folder);
    assert.equal(one.hash, other.hash);
    assert.ok(!Buffer.from(one.content).toString().includes(one.folder));
  });

  test("says where the source is wrong and what to do", async () => {
    const cases: readonly (readonly [text: string, reason: RegExp, hint: RegExp | undefined])[] = [
      ["export default (", /^a\.ts:1:17: Unexpected end of file$/, undefined],
      ["export const run = 1;", /^it has no default export$/, /export default/],
      [
        "import x from './missing.ts';\nexport default x;",
        /^a\.ts:1:15: Could not resolve "\.\/missing\.ts"$/,
        undefined,
      ],
      [
        "import x from '@scope/missing/x';\nexport default x;",
        /^a\.ts:1:15: Could not/,
        /npm install @scope\/missing$/,
      ],
      [
        "await 1; export default 1;",
        /^a\.ts:1:1: Top-level await does not work in functions$/,
        /inside the function/,
      ],
      [
        "import { join } from 'path';\nimport * as fs from 'node:fs/promises';\nexport default [join, fs];",
        /^a\.ts:1:22: "path" is a module of Node\.js, .*\na\.ts:2:21: "node:fs\/promises" is a module/,
        /path-browserify.*; .*hostServices\.objectStore/,
      ],
      ["export default () => require('child_process');", /^a\.ts:1:30: "child_process" is a/, /services/],
      ["import x from './a.wasm';\nexport default x;", /No loader is configured/, undefined],
    ];
    for (const [text, reason, hint] of cases) {
      const [message, hinted] = await failure({ "a.ts": text, "a.wasm": "" });
      assert.match(message, reason);
      if (hint === undefined) assert.equal(hinted, undefined);
      else assert.match(hinted ?? "", hint);
    }
    assert.match((await failure({ "types.d.ts": "export {};" }))[0], /declarations only/);
  });

  test("lets libraries try modules of Node.js, and throws when they are reached", async () => {
    const built = await build({
      "a.mjs":
        "import { safe, broken } from 'lib';\nexport default (subject) => (subject === 'x' ? broken() : safe);",
      "node_modules/lib/package.json": '{ "name": "lib", "main": "i.js", "browser": { "os": false } }',
      "node_modules/lib/i.js": `require("os"); let found = "none"; try { found = require("crypto") } catch {}
exports.safe = found; exports.broken = () => require("fs");`,
    });
    assert.deepEqual(
      built.warnings.map((text) => text.replace(/ is a module.*/, "")),
      ['node_modules/lib/i.js:1:58: "crypto"', 'node_modules/lib/i.js:2:54: "fs"'],
    );
    const run = completion(built);
    assert.equal(run("a"), "none");
    assert.throws(() => run("x"), { message: '"fs" is a module of Node.js, which functions do not have' });
  });

  test("prefers an installed package to a module of Node.js of the same name", async () => {
    const built = await build({
      "a.mjs": "import { name } from 'events';\nexport default () => name;",
      "node_modules/events/package.json": '{ "name": "events", "main": "events.js" }',
      "node_modules/events/events.js": "exports.name = 'installed';",
    });
    assert.equal(completion(built)(), "installed");
  });

  test("leaves the source map out of a large function, and warns of one that most nodes refuse", async () => {
    const text = (count: number): string => JSON.stringify("x".repeat(count));
    const statements = Array.from({ length: 90_000 }, (_, index) => `values[${index}] = "${index}";`).join(
      "\n",
    );
    const mapless = await build({
      "a.mjs": `const values = [];\n${statements}\nexport default () => values.length + ${text(2_000_000)}.length;`,
    });
    assert.match(mapless.warnings.join(), /source map is left out/);
    assert.equal(completion(mapless)(), 2_090_000);
    const large = await build({ "a.mjs": `export default () => ${text(5_300_000)}` });
    assert.match(large.warnings.join(), /^5300\d{3} bytes are more than most nodes take/);
    const script = await build({ "a.js": `() => ${text(5_300_000)}` });
    assert.deepEqual([script.content.length, script.warnings], [5_300_008, []]);
  });
});
