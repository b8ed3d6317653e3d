// Seed files: a node that keeps its id and its xkey over restarts.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createSigningKey, signingKeyFromSeed } from "../../src/control-api/keys.ts";
import { createSealingKey, sealingKeyFromSeed } from "../../src/control-api/sealing-key.ts";
import { NexError } from "../../src/lib/errors.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";

let nats: TestNats;
let directory: string;

before(async () => {
  nats = await startNats();
  directory = await mkdtemp(join(tmpdir(), "nex-test-identity-"));
});
after(async () => {
  await nats?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

test("seed files are made on first use, for the owner only, and keep id and xkey over restarts", async () => {
  const configuration = {
    node_seed_file: join(directory, "node.nk"),
    xkey_seed_file: join(directory, "node.xk"),
  };
  const ids: string[] = [];
  for (let i = 0; i < 2; i++) {
    await using it = await startTestNode({ nats, configuration });
    ids.push(`${it.node.nodeId} ${it.node.publicXkey}`);
  }
  assert.equal(ids[0], ids[1]);
  const key = signingKeyFromSeed(await readFile(configuration.node_seed_file, "utf8"));
  const xkey = sealingKeyFromSeed(await readFile(configuration.xkey_seed_file, "utf8"));
  assert.deepEqual([key.kind, `${key.publicKey} ${xkey.publicKey}`], ["server", ids[0]]);
  if (process.platform !== "win32") {
    for (const file of Object.values(configuration)) assert.equal((await stat(file)).mode & 0o777, 0o600);
  }
});

test("without seed files every start makes new keys", async () => {
  await using one = await startTestNode({ nats });
  await using two = await startTestNode({ nats });
  assert.notEqual(one.node.nodeId, two.node.nodeId);
  assert.notEqual(one.node.publicXkey, two.node.publicXkey);
});

test("a second node with the id of one that runs is refused", async () => {
  const configuration = { node_seed_file: join(directory, "shared.nk") };
  await using first = await startTestNode({ nats, configuration });
  await assert.rejects(startTestNode({ nats, configuration }), (error) => {
    assert.ok(error instanceof NexError && error.code === "NODE_RUNNING");
    assert.match(error.message, new RegExp(first.node.nodeId));
    return true;
  });
});

const wrong: readonly [
  title: string,
  key: "node_seed_file" | "xkey_seed_file",
  content: string,
  text: RegExp,
][] = [
  [
    "an issuer's seed for the node",
    "node_seed_file",
    createSigningKey("account").seedText(),
    /another kind of key \(account\)/,
  ],
  ["an xkey's seed for the node", "node_seed_file", createSealingKey().seedText(), /xkey seed/],
  ["no seed for the node", "node_seed_file", "hello", /not an nkey seed/],
  [
    "a node's seed for the xkey",
    "xkey_seed_file",
    createSigningKey("server").seedText(),
    /signing key \(server\) as an xkey/,
  ],
  ["an empty file for the xkey", "xkey_seed_file", "", /not an nkey seed/],
];

for (const [title, key, content, text] of wrong) {
  test(`${title} is refused, naming the file and not its content`, async () => {
    const file = join(directory, "wrong");
    await writeFile(file, content, { mode: 0o600 });
    await assert.rejects(startTestNode({ nats, configuration: { [key]: file } }), (error) => {
      assert.ok(error instanceof NexError && error.code === "KEY_FILE_INVALID");
      assert.ok(error.message.includes(`"${file}"`));
      assert.match(error.message, text);
      assert.ok(content === "" || !error.message.includes(content.slice(0, 12)) || content === "hello");
      return true;
    });
    assert.equal(await readFile(file, "utf8"), content);
  });
}

test("a seed file that cannot be written or read is an error", async () => {
  const nowhere = join(directory, "no", "such", "node.nk");
  await assert.rejects(startTestNode({ nats, configuration: { node_seed_file: nowhere } }), {
    code: "KEY_FILE_INVALID",
  });
  await assert.rejects(startTestNode({ nats, configuration: { xkey_seed_file: directory } }), {
    code: "KEY_FILE_INVALID",
  });
});
