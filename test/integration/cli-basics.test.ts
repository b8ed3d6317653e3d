import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { runNex } from "../support/run-nex.ts";

const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

describe("nex", { concurrency: 2 }, () => {
  test("version and --version print version, commit and date", async () => {
    for (const args of [["version"], ["--version"], ["node", "ls", "--version"]]) {
      const { code, stdout, stderr } = await runNex(args);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, new RegExp(`^v${version} \\[\\S+\\] \\| Built-on: .+\\n$`));
    }
    const { stdout } = await runNex(["version", "--json"]);
    assert.deepEqual(Object.keys(JSON.parse(stdout)), ["version", "commit", "date"]);
  });

  test("without a command prints the usage with every command and exits with 0", async () => {
    const { code, stdout, stderr } = await runNex([]);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const name of [
      "devrun",
      "run",
      "stop",
      "ps",
      "logs",
      "events",
      "rootfs",
      "lameduck",
      "upgrade",
      "node probe",
      "node up",
      "node ls",
      "node info",
      "req",
      "pub",
      "sub",
      "version",
    ]) {
      assert.match(stdout, new RegExp(`^  ${name} +\\S`, "m"));
    }
    assert.ok(stdout.split("\n").every((line) => line.length <= 80));
  });

  test("--help anywhere explains the command and exits with 0", async () => {
    for (const args of [
      ["devrun", "--help"],
      ["-h", "devrun"],
      ["devrun", "--bogus", "-h"],
    ]) {
      const { code, stdout } = await runNex(args);
      assert.equal(code, 0);
      assert.match(stdout, /^Usage: nex devrun <file> \[env…\] \[flags\]\n/);
      assert.match(stdout, /--trigger_subject=SUBJECT/);
    }
    const group = await runNex(["node", "--help"]);
    assert.match(group.stdout, /^Usage: nex node <command>/);
  });

  const mistakes: readonly (readonly [args: string[], text: string])[] = [
    [["bogus"], "expected command but got 'bogus'"],
    [["vresion"], "expected command but got 'vresion' (did you mean version?)"],
    [["node"], "expected a command after 'node': one of up, ls, info, probe, preflight"],
    [["node", "sl"], "expected command but got 'sl' (did you mean ls?)"],
    [["version", "--jsno"], "unknown flag '--jsno' (did you mean --json?)"],
    [["--bogus"], "unknown flag '--bogus'"],
    [["version", "more"], "unexpected argument 'more'"],
    [["node", "info"], "required argument 'id' not provided"],
    [["stop", "N", "w"], "required flag --name not provided"],
    [["version", "--timeout=0s"], "flag '--timeout' must be longer than zero, got '0s'"],
  ];
  for (const [args, text] of mistakes) {
    test(`${args.join(" ")} is an error on stderr with exit code 1`, async () => {
      const { code, stdout, stderr } = await runNex(args);
      assert.deepEqual([code, stdout, stderr], [1, "", `nex: error: ${text}, try --help\n`]);
    });
  }

  test("takes flags from the environment and refuses wrong ones there", async () => {
    const { code, stderr } = await runNex(["node", "ls"], { env: { NEX_LOGLEVEL: "loud" } });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^nex: error: variable NEX_LOGLEVEL must be one of none, .*, got 'loud', try --help\n$/,
    );
  });

  const offline: readonly (readonly string[])[] = [
    ["node", "ls"],
    ["node", "up", "--no-sandbox"],
    ["req", "a", "b"],
  ];
  for (const args of offline) {
    test(`${args.join(" ")} without a NATS server says so and offers an embedded one`, async () => {
      const server = `nats://127.0.0.1:${await unusedPort()}`;
      const { code, stdout, stderr } = await runNex([...args, `--server=${server}`]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, new RegExp(`^nex: error: Cannot connect to NATS server "${server}": `));
      assert.match(stderr, /^hint: .*nex node up --embedded-nats/m);
      assert.doesNotMatch(stderr, /\n\s+at /);
    });
  }

  test("names an unknown NATS context", async () => {
    const { code, stderr } = await runNex(["node", "ls", "--context=nowhere"]);
    assert.equal(code, 1);
    assert.match(stderr, /unknown context provided/);
  });

  test("node up without a configuration says how to go on, before it starts a server", async () => {
    const { code, stderr } = await runNex(["node", "up", "--embedded-nats", "--nats-port=-1"]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^nex: error: Cannot start the node: there is no \.\/config\.json, .*\nhint: .*--no-sandbox/,
    );
  });

  test("node up refuses flags that exclude each other", async () => {
    const { code, stderr } = await runNex(["node", "up", "--embedded-nats", "--server=nats://x"]);
    assert.deepEqual(
      [code, stderr],
      [1, "nex: error: flags '--embedded-nats' and '--server' exclude each other, try --help\n"],
    );
  });
});

async function unusedPort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}
