// `nex/functions` as authors see it: a project elsewhere that has the package and a TypeScript.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { defineFunction } from "../../src/authoring/index.ts";

const root = dirname(dirname(import.meta.dirname));
const tsc = join(root, "node_modules", ".bin", "tsc");
let directory = "";

const OPTIONS = {
  target: "es2023",
  lib: ["es2023", "webworker"],
  module: "esnext",
  moduleResolution: "bundler",
  types: ["nex/functions/globals"],
  strict: true,
  noEmit: true,
  skipLibCheck: false,
};

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-test-types-"));
  await mkdir(join(directory, "node_modules"));
  await symlink(root, join(directory, "node_modules", "nex"));
});
after(async () => rm(directory, { recursive: true, force: true }));

/** What the compiler says about a project of one file; empty when it is content. */
async function check(source: string, options: object = {}): Promise<string> {
  const project = await mkdtemp(join(directory, "project-"));
  const config = { compilerOptions: { ...OPTIONS, ...options }, files: ["main.ts"] };
  await writeFile(join(project, "tsconfig.json"), JSON.stringify(config));
  await writeFile(join(project, "main.ts"), source);
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(tsc, ["-p", project, "--pretty", "false"], { cwd: project }, (_, stdout) => resolve(stdout));
  return promise;
}

describe("nex/functions", { concurrency: 2 }, () => {
  test("types a function and everything it may call", async () => {
    const source = `
import { defineFunction } from "nex/functions";
import type { HostServices, HttpResponse, NexFunction, ObjectInfo } from "nex/functions";

export const echo: NexFunction = (subject, payload) => (subject === "" ? undefined : payload.length);
export const typed: NexFunction<Uint8Array> = async (_, payload) => payload;

export default defineFunction(async (subject, payload) => {
  const { kv, http, objectStore, messaging } = hostServices;
  kv.set(subject, payload);
  kv.set(subject, "text");
  const value: Uint8Array = kv.get(subject);
  const answer: HttpResponse = http.get(env["URL"] ?? "https://example.org");
  http.del("https://example.org", "body");
  const info: ObjectInfo = objectStore.put("name", value);
  const many: Uint8Array[] = messaging.requestMany("a.b", payload);
  const [key, list] = await Promise.all([
    hostServices.async.kv.get("a"),
    hostServices.async.objectStore.list(),
  ]);
  const later: Promise<void> = hostServices.async.messaging.publish("a", key);
  await later;
  return { status: answer.status, size: info.size + list.length, many: many.length };
});
export const services: HostServices = hostServices;
`;
    assert.equal(await check(source), "");
    assert.equal(await check(source, { module: "nodenext", moduleResolution: "nodenext" }), "");
  });

  test("refuses what would fail at run time", async () => {
    const cases: readonly (readonly [source: string, expected: RegExp])[] = [
      ["defineFunction((subject: number) => subject)", /TS2345/],
      ["defineFunction(() => { env.NAME = 'changed' })", /TS2542|TS2540/],
      ["hostServices.kv.set('key')", /TS2554/],
      ["hostServices.kv.set('key', 5)", /TS2345/],
      ["const value: string = hostServices.kv.get('key')", /TS2322/],
      ["hostServices.http.options('https://example.org')", /TS2339/],
      ["hostServices = undefined", /TS2588/],
    ];
    const head = 'import { defineFunction } from "nex/functions";';
    const found = await check([head, ...cases.map(([source]) => `${source};`)].join("\n"));
    cases.forEach(([source, expected], index) => {
      const line = found.split("\n").find((text) => text.startsWith(`main.ts(${index + 2},`));
      assert.match(line ?? "", expected, source);
    });
  });

  test("has its globals also by an import, without the compiler's option", async () => {
    const source =
      'import "nex/functions/globals";\nexport default () => [env["A"], hostServices.kv.keys()];\n';
    assert.equal(await check(source, { types: [] }), "");
  });

  test("works as a module outside of functions, for their tests", () => {
    const run = (subject: string): string => subject;
    assert.equal(defineFunction(run), run);
  });

  test("the example has no type errors", async () => {
    const example = join(root, "examples", "typescript", "hello");
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile(tsc, ["-p", example, "--pretty", "false"], (_, stdout) => resolve(stdout));
    assert.equal(await promise, "");
  });
});
