// The global flags besides those of the connection (cli-connection.test.ts), by flag and by environment variable.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startFakeNode } from "../support/fake-node.ts";
import type { FakeNode } from "../support/fake-node.ts";
import { runNex, startNex } from "../support/run-nex.ts";
import type { NexResult } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";

type Variables = Readonly<Record<string, string>>;

describe("global flags", { concurrency: 2 }, () => {
  let nats: TestNats;
  let node: FakeNode;
  let home: string;
  const nex = async (argv: readonly string[], env: Variables = {}, cwd = home): Promise<NexResult> =>
    runNex(argv, { cwd, env: { HOME: home, NATS_URL: nats.url, ...env } });

  before(async () => {
    nats = await startNats({
      configText: `jetstream { domain: hub }
        accounts { SYS { users: [ { user: sys, password: sys } ] }, APP { jetstream: enabled, users: [ { user: app, password: app } ] } }
        system_account: SYS
        no_auth_user: app`,
    });
    node = await startFakeNode({ url: nats.url });
    home = await mkdtemp(join(tmpdir(), "nex-test-global-"));
    await writeFile(join(home, "echo.js"), "(subject, payload) => payload\n");
    // An executable of no known format: devrun warns of it, which is a log line.
    await writeFile(join(home, "odd"), "neither ELF nor script", { mode: 0o755 });
  });
  after(async () => {
    await node?.[Symbol.asyncDispose]();
    await nats?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const both: readonly (readonly [title: string, argv: readonly string[], env: Variables])[] = [
    ["--timeout", ["--timeout=120ms"], {}],
    ["NATS_TIMEOUT", [], { NATS_TIMEOUT: "120ms" }],
    ["--timeout before NATS_TIMEOUT", ["--timeout=120ms"], { NATS_TIMEOUT: "1h" }],
  ];
  for (const [title, argv, env] of both) {
    test(`${title} limits how long a request waits`, async () => {
      const silent = await nats.connect();
      silent.subscribe("silent", { callback: () => {} });
      await silent.flush();
      const { code, stderr } = await nex(["req", "silent", "x", ...argv], env);
      assert.equal(code, 1);
      assert.match(stderr, /No reply on "silent" within 120 ms/);
    });
  }

  for (const [title, argv, env] of [
    ["--namespace", ["--namespace=shop"], {}],
    ["NEX_NAMESPACE", [], { NEX_NAMESPACE: "shop" }],
    ["--namespace before NEX_NAMESPACE", ["--namespace=shop"], { NEX_NAMESPACE: "other" }],
  ] as const satisfies typeof both) {
    test(`${title} is where a workload is deployed`, async () => {
      const { stdout, stderr } = await nex(
        ["devrun", "echo.js", "--trigger_subject=a", "--no-stop", "--json", ...argv],
        env,
      );
      const { workload_id, namespace } = JSON.parse(stdout) as Readonly<Record<string, string>>;
      assert.equal(namespace, "shop", stderr);
      assert.equal(node.deploys.find(({ id }) => id === workload_id)?.namespace, "shop");
    });
  }

  test("--jsdomain is where devrun uploads to and what the node is told", async () => {
    const argv = ["devrun", "echo.js", "--trigger_subject=a", "--no-stop", "--json"];
    const { stdout } = await nex([...argv, "--jsdomain=hub"]);
    const { workload_id } = JSON.parse(stdout) as Readonly<Record<string, string>>;
    assert.equal(node.deploys.find(({ id }) => id === workload_id)?.request.jsdomain, "hub");
    const wrong = await nex([...argv, "--jsdomain=nowhere"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^nex: error: Cannot upload "echo\.js"/m);
  });

  const lines: readonly (readonly [title: string, argv: readonly string[], env: Variables, line: RegExp])[] =
    [
      ["no flag", [], {}, /^\[WRN\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d - Deploying an executable .* reason=/],
      ["--loglevel", ["--loglevel=error"], {}, /^$/],
      ["NEX_LOGLEVEL", [], { NEX_LOGLEVEL: "none" }, /^$/],
      [
        "--logjson",
        ["--logjson"],
        {},
        /^\{"level":"WRN","time":"[^"]+","message":"Deploying [^"]+","attrs":\{/,
      ],
      ["NEX_LOGJSON", [], { NEX_LOGJSON: "true" }, /^\{"level":"WRN"/],
      // oxlint-disable-next-line no-control-regex
      ["--logcolor", ["--logcolor"], {}, /^\[\u001b\[33mWRN\u001b\[0m\] /],
      // oxlint-disable-next-line no-control-regex
      ["NEX_LOG_COLORIZED", [], { NEX_LOG_COLORIZED: "1" }, /^\[\u001b\[33mWRN\u001b\[0m\] /],
      ["NO_COLOR", [], { NEX_LOG_COLORIZED: "1", NO_COLOR: "1" }, /^\[WRN\] /],
      ["--timeformat=DateOnly", ["--timeformat=DateOnly"], {}, /^\[WRN\] \d{4}-\d\d-\d\d - /],
      ["--timeformat=Stamp", ["--timeformat=Stamp"], {}, /^\[WRN\] [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d - /],
      [
        "--timeformat=RFC822",
        ["--timeformat=RFC822"],
        {},
        /^\[WRN\] \d\d [A-Z][a-z]{2} \d\d \d\d:\d\d \S+ - /,
      ],
      [
        "NEX_LOG_TIMEFORMAT",
        [],
        { NEX_LOG_TIMEFORMAT: "RFC3339" },
        /^\[WRN\] \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S+ - /,
      ],
      ["--logger=std twice", ["--logger=std", "--logger=std"], {}, /^\[WRN\] .*$/],
    ];
  for (const [title, argv, env, expected] of lines) {
    test(`log lines with ${title}`, async () => {
      const { code, stderr } = await nex(["devrun", "odd", "--no-stop", ...argv], env);
      assert.equal(code, 0, stderr);
      assert.match(stderr.replace(/\n$/, ""), expected);
    });
  }

  for (const [title, argv, env] of [
    ["--logger=file", ["--logger=file"], {}],
    ["NEX_LOGGER=file", [], { NEX_LOGGER: "file" }],
  ] as const satisfies typeof both) {
    test(`${title} writes log lines into nex.log in the working directory`, async () => {
      const cwd = await mkdtemp(join(home, "logger-"));
      const { code, stderr } = await nex(["devrun", join(home, "odd"), "--no-stop", ...argv], env, cwd);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(await readFile(join(cwd, "nex.log"), "utf8"), /^\[WRN\] .* - Deploying an executable/);
    });
  }

  for (const [argv, name] of [
    [["--conn-name=mine"], "mine"],
    [[], "nex-0.2.7"],
  ] as const) {
    test(`the connection is called ${name} with ${argv[0] ?? "no flag"}`, async () => {
      await using following = await startNex(["sub", `name.${name}`, ...argv], {
        env: { HOME: home, NATS_URL: nats.url },
      });
      await following.waitForLine(/Subscribing on/);
      const system = await nats.connect({ user: "sys", pass: "sys" });
      const options = JSON.stringify({ subscriptions: true });
      const reply = await system.request("$SYS.REQ.SERVER.PING.CONNZ", options, { timeout: 5000 });
      const { data } = reply.json<{
        readonly data: {
          readonly connections: readonly {
            readonly name: string;
            readonly subscriptions_list?: readonly string[];
          }[];
        };
      }>();
      const found = data.connections.find((each) => each.subscriptions_list?.includes(`name.${name}`));
      assert.equal(found?.name, name);
    });
  }

  test("flags stand anywhere, also as lines of an @file", async () => {
    await writeFile(join(home, "flags"), "--timeout=400ms\n--json\n");
    for (const argv of [
      ["--timeout=400ms", "--json", "node", "ls"],
      ["node", "--timeout", "400ms", "ls", "--json"],
      ["node", "ls", "@flags"],
    ]) {
      const { code, stdout } = await nex(argv);
      assert.equal(code, 0);
      assert.deepEqual(
        (JSON.parse(stdout) as readonly { readonly id: string }[]).map(({ id }) => id),
        [node.nodeId],
      );
    }
  });
});
