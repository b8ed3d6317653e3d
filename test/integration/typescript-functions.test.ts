// Functions in TypeScript from the editor to the answer: the real command line, a real node.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Objm } from "@nats-io/obj";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import { runNex, startNex } from "../support/run-nex.ts";
import type { NexResult } from "../support/run-nex.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const root = dirname(dirname(import.meta.dirname));
let it: TestNode;
let home = "";

before(async () => {
  home = await mkdtemp(join(tmpdir(), "nex-test-typescript-"));
  await mkdir(join(home, "node_modules"));
  await symlink(join(root, "node_modules", "typescript"), join(home, "node_modules", "typescript"));
  it = await startTestNode({ configuration: { machine_pool_size: 3 } });
});
after(async () => {
  await it[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
});

async function nex(...args: string[]): Promise<NexResult> {
  return runNex(args, { cwd: home, env: { HOME: home, NATS_URL: it.nats.url } });
}

/** Runs a command that has to succeed, and gives what it prints as JSON. */
async function nexJson<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await nex(...args, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

/** Writes a file below HOME and gives its path. */
async function file(name: string, text: string): Promise<string> {
  const path = join(home, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

describe("functions in TypeScript", () => {
  test("the example answers, with its imports and its JSON", async () => {
    const example = join(root, "examples", "typescript", "hello", "hello.ts");
    const { code, stdout, stderr } = await nex("devrun", example, "--trigger_subject=ts.hello");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /Workload 'hellots' accepted/);
    const ask = async (body: object) =>
      (await it.connection.request("ts.hello", JSON.stringify(body))).json();
    assert.deepEqual(await ask({ name: "Ada" }), { greeting: "Hello, Ada!" });
    assert.deepEqual(await ask({ name: "Konrad", language: "de" }), { greeting: "Guten Tag, Konrad!" });
  });

  test("a failing one answers at once, says why in the log with the author's lines, and emits an event", async () => {
    await file(
      "lib/parse.ts",
      "export function parse(text: string): unknown {\n  return JSON.parse(text);\n}\n",
    );
    const path = await file(
      "moody.ts",
      `import { parse } from "./lib/parse.ts";

interface Order { readonly items: readonly string[] }

export default async function moody(_subject: string, payload: Uint8Array): Promise<number> {
  await Promise.resolve();
  const order = parse(String.fromCharCode(...payload)) as Order;
  return order.items.length;
}
`,
    );
    const events = await collectEvents(it.connection);
    const logs = await collectLogs(it.connection);
    const deployed = await nexJson<{ name: string; type: string; workload_id: string }>(
      "devrun",
      path,
      "--trigger_subject=ts.moody",
    );
    assert.deepEqual([deployed.name, deployed.type], ["moodyts", "v8"]);

    const reply = await it.connection.request("ts.moody", "{}");
    assert.equal(reply.data.length, 0);
    assert.equal(reply.headers?.get("Nats-Service-Error-Code"), "500");
    const reason = "TypeError: Cannot read properties of undefined (reading 'length')";
    assert.equal(reply.headers?.get("Nats-Service-Error"), `${reason} (moody.ts:8:22)`);
    await until(() => logs.some(({ text }) => text.includes("(moody.ts:8:22)") && text.startsWith(" ")));
    const own = () =>
      logs.filter(({ id }) => id === deployed.workload_id).map(({ level, text }) => [level, text]);
    const first = own().findIndex(([, text]) => text === reason);
    assert.deepEqual(own().slice(first, first + 2), [
      ["ERROR", reason],
      ["ERROR", "    at moody (moody.ts:8:22)"],
    ]);
    const failed = await until(() => events.find(({ type }) => type === "function_exec_failed"));
    assert.equal(failed.data["error"], `${reason} (moody.ts:8:22)`);

    await it.connection.request("ts.moody", "no json");
    await until(() => logs.some(({ text }) => text === "    at moody (moody.ts:7:17)"));
    assert.match(
      own()
        .map(([, text]) => text)
        .join("\n"),
      /^SyntaxError: .*\n {4}at parse \(lib\/parse\.ts:2:15\)\n {4}at moody \(moody\.ts:7:17\)$/m,
    );
    assert.equal((await it.connection.request("ts.moody", '{"items":[1,2]}')).string(), "2");
  });

  test("wrong types are warnings: the function runs all the same", async () => {
    const path = await file("loose.ts", 'const count: number = "three";\nexport default () => count;\n');
    const { code, stdout, stderr } = await nex("devrun", path, "--trigger_subject=ts.loose");
    assert.equal(code, 0);
    assert.match(stdout, /Workload 'loosets' accepted/);
    assert.equal(
      stderr,
      "warning: loose.ts:1:7: error TS2322: Type 'string' is not assignable to type 'number'.\n",
    );
    assert.equal((await it.connection.request("ts.loose")).string(), '"three"');
  });

  test("what cannot be built is refused without a node", async () => {
    const path = await file(
      "files.mts",
      'import { readFile } from "node:fs/promises";\nexport default () => readFile("x");\n',
    );
    const { code, stderr } = await runNex([
      "devrun",
      path,
      "--trigger_subject=ts.files",
      "-s",
      "nats://127.0.0.1:1",
    ]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /files\.mts:1:26: "node:fs\/promises" is a module of Node\.js, which functions do not have\n/,
    );
    assert.match(stderr, /hint: .*hostServices\.objectStore/);
  });

  test("nex build makes what nex run deploys, packages included", async () => {
    await mkdir(join(home, "node_modules", "double"));
    await file("node_modules/double/package.json", '{ "name": "double", "types": "index.d.ts" }');
    await file("node_modules/double/index.js", "module.exports = (value) => value * 2;\n");
    await file("node_modules/double/index.d.ts", "export default function double(value: number): number;\n");
    const path = await file(
      "twice.ts",
      `import double from "double";
       export default (_: string, payload: Uint8Array): string => String(double(payload.length));\n`,
    );
    interface Built {
      readonly file: string | null;
      readonly bytes: number;
      readonly hash: string;
      readonly location: string | null;
    }
    const written = await nexJson<Built>("build", path, "-o", "twice.js");
    const content = await readFile(join(home, "twice.js"));
    assert.deepEqual(
      [written.file, written.bytes, written.hash, written.location],
      ["twice.js", content.length, createHash("sha256").update(content).digest("hex"), null],
    );
    const uploaded = await nexJson<Built>("build", path, "--upload=nats://ARTIFACTS/twice");
    assert.deepEqual(
      [uploaded.file, uploaded.location, uploaded.hash],
      [null, "nats://ARTIFACTS/twice", written.hash],
    );
    const store = await new Objm(it.connection).open("ARTIFACTS");
    assert.deepEqual(Buffer.from((await store.getBlob("twice")) ?? []), content);

    const keys = await Promise.all(
      [it.issuer, it.publisher].map(async (key, index) => file(`key-${index}`, key.seedText())),
    );
    const run = ["run", "nats://ARTIFACTS/twice", it.node.nodeId, "--type=v8", "--name=twice"];
    await nexJson(...run, `--issuer=${keys[0]}`, `--xkey=${keys[1]}`, "--trigger_subject=ts.twice");
    assert.equal((await it.connection.request("ts.twice", "abc")).string(), '"6"');
  });

  test("--watch deploys again when an imported file is saved", async () => {
    await file("watched/word.ts", 'export const word = "one";\n');
    const path = await file(
      "watched/main.ts",
      'import { word } from "./word.ts";\nexport default () => word;\n',
    );
    await using watching = await startNex(["devrun", path, "--trigger_subject=ts.watched", "--watch"], {
      cwd: home,
      env: { HOME: home, NATS_URL: it.nats.url },
    });
    await watching.waitForLine(/^Watching /);
    const call = async () => (await it.connection.request("ts.watched", "", { timeout: 5000 })).json();
    assert.equal(await call(), "one");
    await file("watched/word.ts", 'export const word = "two";\n');
    await until(async () => (await call()) === "two");
  });
});
