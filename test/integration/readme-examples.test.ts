// The programs that the documents show are run as they stand there.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";

const root = join(import.meta.dirname, "..", "..");
let it: TestNode;

before(async () => {
  it = await startTestNode();
  await it.upload("echo", "(subject, payload) => payload");
});
after(async () => it[Symbol.asyncDispose]());

test("the example of the control API's README lists, deploys, calls and stops", async () => {
  const output = await runExample("src/control-api/README.md");
  assert.ok(output.includes(`${it.node.nodeId} version 0.2.7`), output);
  assert.match(output, /Deployed echo as \w{20}\nheya\nStopped \w{20}\n$/);
});

test("the example of the README lists the nodes", async () => {
  assert.match(await runExample("README.md"), new RegExp(`^${it.node.nodeId} \\d+s\n$`));
});

/** Runs the first `ts` block of a document, with the package's name replaced by its sources and the server's URL. */
async function runExample(document: string): Promise<string> {
  const text = await readFile(join(root, document), "utf8");
  const block = /```ts\n([\s\S]*?)```/.exec(text)?.[1];
  assert.ok(block !== undefined, `${document} has a ts block`);
  await mkdir(join(root, ".cache"), { recursive: true });
  // Below the root, where the packages that the example imports are found.
  const directory = await mkdtemp(join(root, ".cache", "example-"));
  try {
    const program = join(directory, "example.ts");
    const source = block
      .replaceAll('"nex/control-api"', JSON.stringify(join(root, "src/control-api/index.ts")))
      .replaceAll("nats://127.0.0.1:4222", it.nats.url);
    await writeFile(program, source);
    const { stdout } = await promisify(execFile)(process.execPath, [program], {
      env: { PATH: process.env["PATH"], NATS_URL: it.nats.url },
    });
    return stdout;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
