import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runNex } from "../support/run-nex.ts";
import type { NexResult } from "../support/run-nex.ts";

/** Every value that must never be printed. */
const SECRETS = ["s3cr3t-pass", "t0ken-text", "jwt-text", "seed-text", "in-url", "unheard-of"];

describe("nex context", { concurrency: 2 }, () => {
  let home: string;
  const nex = async (
    argv: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<NexResult> => {
    const result = await runNex(argv, { env: { HOME: home, ...env } });
    for (const secret of SECRETS) assert.ok(!`${result.stdout}${result.stderr}`.includes(secret), secret);
    return result;
  };
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "nex-test-context-"));
    const folder = join(home, ".config", "nats", "context");
    await mkdir(folder, { recursive: true });
    const write = async (name: string, content: unknown): Promise<void> =>
      writeFile(
        join(folder, `${name}.json`),
        typeof content === "string" ? content : JSON.stringify(content),
      );
    await write("production", {
      description: "The servers that count",
      url: "nats://joe:in-url@one:4222,nats://two:4222",
      user: "joe",
      password: "s3cr3t-pass",
      token: "",
      creds: "~/joe.creds",
      user_jwt: "jwt-text",
      user_seed: "seed-text",
      tls_first: false,
      future_secret: "unheard-of",
    });
    await write("token", { description: "", url: "tls://h:4222", user: "t0ken-text", password: "" });
    await write("broken", '{"password": "s3cr3t-pass", ');
  });
  after(async () => rm(home, { recursive: true, force: true }));

  test("ls lists contexts by name, marks the selected one and masks what is in URLs", async () => {
    const { code, stdout } = await nex(["context", "ls", "--json"], { NATS_CONTEXT: "token" });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), [
      { name: "broken", description: "", url: "", selected: false, problem: "the file is not JSON" },
      {
        name: "production",
        description: "The servers that count",
        url: "nats://********@one:4222,nats://two:4222",
        selected: false,
      },
      { name: "token", description: "", url: "tls://h:4222", selected: true },
    ]);
    const table = await nex(["contexts", "ls", "--context=production"]);
    assert.match(table.stdout, /│ production\* +│ The servers that count/);
    assert.match(table.stdout, /│ broken +│ unusable: the file is not JSON/);
  });

  test("show masks whatever is, or may be, secret", async () => {
    const { stdout } = await nex(["context", "show", "production", "--json"]);
    assert.deepEqual(JSON.parse(stdout), {
      name: "production",
      path: join(home, ".config", "nats", "context", "production.json"),
      selected: false,
      settings: {
        description: "The servers that count",
        url: "nats://********@one:4222,nats://two:4222",
        user: "joe",
        password: "********",
        creds: "~/joe.creds",
        user_jwt: "********",
        user_seed: "********",
        future_secret: "********",
      },
    });
  });

  test("show without a name shows the selected one; a user without password is a token", async () => {
    const { stdout } = await nex(["context", "show"], { NATS_CONTEXT: "token" });
    assert.match(stdout, /^NATS context token \(selected\)\n/);
    assert.match(stdout, /^ +user: \*{8}$/m);
    const none = await nex(["context", "show"]);
    assert.match(none.stderr, /^nex: error: No NATS context is selected\nhint: /);
  });

  test("show names a near context for an unknown one, and the trouble with a broken one", async () => {
    const unknown = await nex(["context", "show", "prodution"]);
    assert.equal(unknown.code, 1);
    assert.match(
      unknown.stderr,
      /There is no NATS context "prodution" \(did you mean production\?\)\nhint: /,
    );
    const broken = await nex(["context", "show", "broken"]);
    assert.match(broken.stderr, /Cannot show NATS context "broken": ".*broken\.json": the file is not JSON/);
  });

  test("ls says where it looks when there are none, and when the selected one is missing", async () => {
    const { code, stdout, stderr } = await runNex(["context", "ls", "--context=nowhere"]);
    assert.equal(code, 0);
    assert.match(stdout, /^No NATS contexts in .*\/\.config\/nats\/context\n$/);
    assert.match(stderr, /^There is no NATS context "nowhere"/);
  });
});
