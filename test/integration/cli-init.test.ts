import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { loadConfiguration } from "../../src/node/configuration.ts";
import { runNex, startNex } from "../support/run-nex.ts";
import { until } from "../support/until.ts";

const unix = process.platform === "win32" ? { skip: "the service of the starter is a bash script" } : {};

async function temporary(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "nex-test-init-"));
  return {
    path,
    [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

describe("nex init", { concurrency: 2 }, () => {
  test("its starter works as it says: node up, devrun of function and service, req", unix, async () => {
    await using folder = await temporary();
    const home = folder.path;
    const cwd = join(home, "project");
    const env = { HOME: home, TMPDIR: home };
    const { code, stdout } = await runNex(["init", "project"], { cwd: home, env });
    assert.equal(code, 0);
    assert.match(stdout, /^ {2}cd project$/m);
    for (const line of [
      "nex node up --embedded-nats",
      "nex devrun hello.js --trigger_subject=hello",
      "nex req greet you",
    ]) {
      assert.ok(stdout.includes(`  ${line}\n`), line);
    }
    await using node = await startNex(["node", "up", "--embedded-nats", "--nats-port=-1"], { cwd, env });
    const [, url = ""] = await node.waitForLine(/Embedded NATS server started client_url=(\S+)/);
    await node.waitForLine(/awaiting commands/);
    const nex = async (...argv: string[]): Promise<string> => {
      const ended = await runNex([...argv, "-s", url], { cwd, env });
      assert.equal(ended.code, 0, ended.stderr);
      return ended.stdout;
    };
    await nex("devrun", "hello.js", "--trigger_subject=hello", "GREETING=Ahoi");
    assert.equal(await nex("req", "hello", "Jörg", "--raw"), '{"message":"Ahoi, Jörg!"}\n');
    assert.equal(await nex("req", "hello", "", "--raw"), '{"message":"Ahoi, nobody!"}\n');
    await nex("devrun", "greeter.sh", `NATS_URL=${url}`);
    const greeting = await until(async () => nex("req", "greet", "you & me", "--raw"));
    assert.equal(greeting, "Greetings, you & me!\n");
    assert.equal(await nex("req", "greet", "Jörg", "--raw"), "Greetings, Jörg!\n");
    assert.equal(await nex("req", "greet", "two\nlines", "--raw"), "Greetings, two\nlines!\n");
    assert.equal(await nex("req", "greet", "", "--raw"), "Greetings, stranger!\n");
  });

  test("writes a configuration that loads and whose every key the README explains", async () => {
    await using folder = await temporary();
    await runNex(["init"], { cwd: folder.path });
    const path = join(folder.path, "config.json");
    const configuration = await loadConfiguration(path);
    assert.deepEqual([configuration.no_sandbox, configuration.machine_pool_size], [true, 2]);
    const readme = await readFile(join(folder.path, "README.md"), "utf8");
    for (const key of Object.keys(JSON.parse(await readFile(path, "utf8")) as object)) {
      assert.ok(readme.includes(`\`${key}`), `README.md does not explain ${key}`);
    }
    assert.equal((await stat(join(folder.path, "greeter.sh"))).mode & 0o111, 0o111);
  });

  test("overwrites nothing unless told so, and then writes nothing at all", async () => {
    await using folder = await temporary();
    const { path } = folder;
    await writeFile(join(path, "hello.js"), "mine");
    const refused = await runNex(["init"], { cwd: path });
    assert.deepEqual(
      [refused.code, refused.stderr],
      [
        1,
        'nex: error: Cannot write a starter into ".": hello.js would be overwritten\nhint: Name another folder, or overwrite with --force\n',
      ],
    );
    assert.equal(await readFile(join(path, "hello.js"), "utf8"), "mine");
    await assert.rejects(stat(join(path, "config.json")), { code: "ENOENT" });
    const forced = await runNex(["init", "--force"], { cwd: path });
    assert.equal(forced.code, 0);
    assert.match(await readFile(join(path, "hello.js"), "utf8"), /payload/);
  });

  test("says why it cannot write", async () => {
    await using folder = await temporary();
    await writeFile(join(folder.path, "file"), "");
    const { code, stderr } = await runNex(["init", "file/below"], { cwd: folder.path });
    assert.equal(code, 1);
    assert.match(stderr, /^nex: error: Cannot write a starter into "file\/below": .*\nhint: /);
  });
});
