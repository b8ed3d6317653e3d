import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createSigningKey } from "../../src/control-api/index.ts";
import { startFakeNode } from "../support/fake-node.ts";
import type { FakeNode, FakeNodeOptions } from "../support/fake-node.ts";
import { runNex } from "../support/run-nex.ts";
import type { NexResult } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";

/** A server, and a folder that is HOME and working directory. */
interface Place extends AsyncDisposable {
  readonly home: string;
  node(options?: Omit<FakeNodeOptions, "url">): Promise<FakeNode>;
  nex(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<NexResult>;
  /** Deploys a function of that name with the keys of HOME; resolves with its id. */
  deploy(name: string, ...args: readonly string[]): Promise<string>;
}

async function startPlace(): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const home = await mkdtemp(join(tmpdir(), "nex-test-workloads-"));
  stack.defer(async () => rm(home, { recursive: true, force: true }));
  const nodes = new AsyncDisposableStack();
  stack.use(nodes);
  const nex: Place["nex"] = async (args, env = {}) =>
    runNex(args, { cwd: home, env: { HOME: home, NATS_URL: nats.url, NATS_TIMEOUT: "400ms", ...env } });
  const resources = stack.move();
  return {
    home,
    nex,
    node: async (options = {}) => nodes.use(await startFakeNode({ ...options, url: nats.url })),
    deploy: async (name, ...args) => {
      await writeFile(join(home, name), "(subject, payload) => payload;\n");
      const flags = ["--type=v8", "--trigger_subject=a", "--no-stop", "--json"];
      const { stdout, stderr } = await nex(["devrun", name, ...flags, ...args]);
      assert.match(stdout, /workload_id/, stderr);
      return (JSON.parse(stdout) as { readonly workload_id: string }).workload_id;
    },
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

describe("nex node probe", { concurrency: 2 }, () => {
  test("lists the workloads of the namespace as protocol section 10.7 shows it, or the one asked for", async () => {
    await using place = await startPlace();
    const none = await place.nex(["node", "probe"]);
    assert.deepEqual([none.code, none.stdout], [0, "No workloads matched\n"]);
    const node = await place.node();
    const echo = await place.deploy("echo");
    const other = await place.deploy("other");
    await place.deploy("hidden", "--namespace=shop");
    const { stdout } = await place.nex(["node", "probe"]);
    assert.equal(
      stdout,
      `╭───────────────────────────────────────────────────────────────╮
│                      Discovered Workloads                     │
├──────────────────────┬───────┬──────┬───────────┬─────────────┤
│ ID                   │ Name  │ Type │ Namespace │ Node Name   │
├──────────────────────┼───────┼──────┼───────────┼─────────────┤
│ ${echo} │ echo  │ v8   │ default   │ quiet-otter │
│ ${other} │ other │ v8   │ default   │ quiet-otter │
╰──────────────────────┴───────┴──────┴───────────┴─────────────╯
`,
    );
    const byId = await place.nex(["nodes", "probe", `--workload=${echo}`, "--json"]);
    assert.deepEqual(JSON.parse(byId.stdout), [
      {
        id: echo,
        name: "echo",
        type: "v8",
        namespace: "default",
        node_id: node.nodeId,
        node_name: "quiet-otter",
      },
    ]);
    const byName = await place.nex(["node", "probe", "--workload=nothing"]);
    assert.deepEqual([byName.code, byName.stdout], [0, "No workloads matched\n"]);
    const json = await place.nex(["node", "probe", "--workload=nothing", "--json"]);
    assert.equal(json.stdout, "[]\n");
  });

  test("refuses what is no part of a subject", async () => {
    await using place = await startPlace();
    const { code, stderr } = await place.nex(["node", "probe", "--workload=a.*"]);
    assert.equal(code, 1);
    assert.match(stderr, /^nex: error: The workload id or name "a\.\*" cannot be part of a subject\nhint: /);
  });
});

describe("nex ps", { concurrency: 2 }, () => {
  test("lists the workloads of all nodes in the namespace, with uptime and restarts where the node tells", async () => {
    await using place = await startPlace();
    const none = await place.nex(["ps"]);
    assert.deepEqual([none.code, none.stdout], [0, 'No workloads in namespace "default"\n']);
    const last_exit = { code: 1, reason: "exited with code 1", time: "2024-07-03T09:46:40Z" };
    const otter = await place.node({ workload: { restarts: 3, last_exit } });
    const id = await place.deploy("echo");
    await otter[Symbol.asyncDispose]();
    const empty = await place.nex(["ps", "--json"]);
    assert.equal(empty.stdout, "[]\n");

    const lynx = await place.node({ name: "brave-lynx", workload: { restarts: 3, last_exit } });
    const second = await place.deploy("echo");
    assert.notEqual(id, second);
    const { stdout } = await place.nex(["ps"]);
    assert.equal(
      stdout,
      `╭─────────────────────────────────────────────────────────────────────╮
│                              Workloads                              │
├──────────────────────┬──────┬──────┬────────────┬────────┬──────────┤
│ ID                   │ Name │ Type │ Node       │ Uptime │ Restarts │
├──────────────────────┼──────┼──────┼────────────┼────────┼──────────┤
│ ${second} │ echo │ v8   │ brave-lynx │ 8m47s  │        3 │
╰──────────────────────┴──────┴──────┴────────────┴────────┴──────────╯
`,
    );
    const json = await place.nex(["ps", "--json"]);
    assert.deepEqual(JSON.parse(json.stdout), [
      {
        id: second,
        name: "echo",
        type: "v8",
        namespace: "default",
        node_id: lynx.nodeId,
        node_name: "brave-lynx",
        uptime: "8m47s",
        healthy: true,
        restarts: 3,
        last_exit,
      },
    ]);
    const shop = await place.nex(["ps", "--namespace=shop"]);
    assert.equal(shop.stdout, 'No workloads in namespace "shop"\n');
  });

  test("shows a dash for restarts of a node that does not tell them", async () => {
    await using place = await startPlace();
    await place.node();
    await place.deploy("echo");
    const { stdout } = await place.nex(["ps"]);
    assert.match(stdout, /│ echo │ v8 {3}│ quiet-otter │ 8m47s {2}│ - {8}│/);
  });

  test("has no way to see other namespaces", async () => {
    await using place = await startPlace();
    const { code, stderr } = await place.nex(["ps", "--all-namespaces"]);
    assert.deepEqual([code, stderr], [1, "nex: error: unknown flag '--all-namespaces', try --help\n"]);
  });
});

describe("nex stop", { concurrency: 2 }, () => {
  test("finds the workload by name, id or its beginning, and signs with the key of devrun", async () => {
    await using place = await startPlace();
    const node = await place.node();
    await place.node({ name: "brave-lynx", workloadTypes: ["native"] });
    for (const wordOf of [() => "ECHO", (id: string) => id, (id: string) => id.slice(0, 19)]) {
      const id = await place.deploy("echo");
      const { code, stdout, stderr } = await place.nex(["stop", wordOf(id)]);
      assert.deepEqual([code, stdout, stderr], [0, "✅ Workload 'echo' stopped.\n", ""]);
      assert.deepEqual(node.running(), []);
    }
    const id = await place.deploy("echo");
    const { stdout } = await place.nex(["stop", "echo", "--json"]);
    assert.deepEqual(JSON.parse(stdout), {
      node_id: node.nodeId,
      workload_id: id,
      name: "echo",
      stopped: true,
    });
  });

  test("lists the candidates of an ambiguous name, and stops them all when told so", async () => {
    await using place = await startPlace();
    const nodes = [await place.node(), await place.node({ name: "brave-lynx" })];
    const ids = [await place.deploy("echo"), await place.deploy("echo")];
    const kept = await place.deploy("other");
    const { code, stderr } = await place.nex(["stop", "echo"]);
    assert.equal(code, 1);
    assert.match(stderr, /^nex: error: "echo" means 2 workloads:\n {2}.*\n {2}.*\nhint: .*--all/);
    for (const id of ids) assert.match(stderr, new RegExp(`^ {2}${id} {2}echo on \\S+ \\(N\\S{55}\\)$`, "m"));
    const all = await place.nex(["stop", "echo", "--all", "--json"]);
    const results = JSON.parse(all.stdout) as { readonly workload_id: string; readonly stopped: boolean }[];
    assert.deepEqual(results.map(({ workload_id }) => workload_id).sort(), ids.sort());
    assert.ok(results.every(({ stopped }) => stopped));
    assert.deepEqual(
      nodes.flatMap((node) => node.running()),
      [kept],
    );
  });

  test("--all goes on after a refusal, tells both and ends with 1", async () => {
    await using place = await startPlace();
    const node = await place.node();
    await place.deploy("echo");
    const issuer = join(place.home, ".nex", "issuer.nk");
    await rm(issuer);
    const id = await place.deploy("echo");
    const { code, stdout, stderr } = await place.nex(["stop", "echo", "--all"]);
    assert.deepEqual([code, stdout], [1, "✅ Workload 'echo' stopped.\n"]);
    assert.match(
      stderr,
      /^⛔ Workload stop request failed: .*only entity allowed.* \([0-9a-v]{20}\)\nhint: /,
    );
    assert.equal(node.running().length, 1);
    assert.notEqual(node.running()[0], id);
  });

  test("tells what is wrong and what to do", async () => {
    await using place = await startPlace();
    const unsigned = await place.nex(["stop", "echo"]);
    assert.equal(unsigned.code, 1);
    assert.match(
      unsigned.stderr,
      /^nex: error: Cannot sign the stop: there is no issuer key ".*\/\.nex\/issuer\.nk"\nhint: .*--issuer/,
    );
    const node = await place.node();
    const id = await place.deploy("echojs");
    await writeFile(join(place.home, "other.nk"), createSigningKey("account").seedText());
    await writeFile(join(place.home, "bad.nk"), "nothing\n");
    const table: readonly (readonly [args: readonly string[], stderr: RegExp])[] = [
      [["echo"], /^nex: error: No workload "echo" in namespace "default" \(did you mean echojs\?\)\nhint: /],
      [["zzz"], /^nex: error: No workload "zzz" in namespace "default"\nhint: .*nex ps/],
      [
        ["echojs", "--namespace=shop"],
        /^nex: error: No workload "echojs" in namespace "shop"\nhint: None runs there/,
      ],
      [["echojs", "--name=other"], /^nex: error: No workload "echojs" of name "other" in/],
      [
        ["echojs", "--issuer=other.nk"],
        /^⛔ Workload stop request failed: .*only entity.*\nhint: It was signed with "other\.nk": /,
      ],
      [["echojs", "--issuer=bad.nk"], /^nex: error: Cannot use key file "bad\.nk": .*not an nkey seed\n/],
      [[node.nodeId, id], /^nex: error: required flag --name not provided, try --help\n$/],
      [
        [node.nodeId, id, "--name=other"],
        /^⛔ Workload stop request failed: .*subject does not match.*\nhint: Give the name that "nex ps" shows\n$/,
      ],
      [[node.nodeId, id, "--name=echojs", "--all"], /^nex: error: flag '--all' takes no WORKLOAD_ID/],
      [["nobody", id, "--name=echojs"], /^nex: error: No node "nobody" among 1\nhint: /],
    ];
    for (const [args, text] of table) {
      const { code, stdout, stderr } = await place.nex(["stop", ...args]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, text);
    }
    assert.deepEqual(node.running(), [id]);
  });
});

describe("nex lameduck", { concurrency: 2 }, () => {
  test("sends the command, empty as peers do, or with what it asks for", async () => {
    await using place = await startPlace();
    const node = await place.node();
    const plain = await place.nex(["lameduck", node.nodeId]);
    assert.deepEqual(
      [plain.code, plain.stdout],
      [0, `Command to enter lame duck mode issued to ${node.nodeId}\n`],
    );
    const { stdout } = await place.nex([
      "lameduck",
      "quiet-otter",
      "--exit-when-idle",
      "--delay=1.5s",
      "--json",
    ]);
    assert.deepEqual(JSON.parse(stdout), { node_id: node.nodeId, success: true });
    await place.nex(["lameduck", "quiet-otter", "--exit-when-idle"]);
    assert.deepEqual(
      node.lameDucks.map((body) => Buffer.from(body).toString()),
      ["", '{"exit_when_idle":true,"delay_ms":1500}', '{"exit_when_idle":true}'],
    );
  });

  test("tells why not", async () => {
    await using place = await startPlace();
    await place.node({ refuseLameDuck: "Failed to enter lame duck mode" });
    await place.node({ name: "mute", silent: true });
    const table: readonly (readonly [args: readonly string[], stderr: RegExp])[] = [
      [["quiet-otter"], /^Failed to issue lame duck command: Failed to enter lame duck mode\n$/],
      [["mute"], /^Failed to issue lame duck command: .*there is no node.*\nhint: /],
      [["nobody"], /^nex: error: No node "nobody" among 2\nhint: /],
      [["quiet-otter", "--delay=1s"], /^nex: error: flag '--delay' needs --exit-when-idle, try --help\n$/],
      [[], /^nex: error: required argument 'id' not provided, try --help\n$/],
    ];
    for (const [args, text] of table) {
      const { code, stdout, stderr } = await place.nex(["lameduck", ...args]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, text);
    }
  });
});

describe("nex upgrade", () => {
  test("prints how to upgrade a clone, without a server or the network", async () => {
    const { code, stdout, stderr } = await runNex(["upgrade"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(
      stdout,
      /^This is nex v\S+ \[[^\]]+\] .*\nIt runs from a clone\. To upgrade, in .*:\n\n {2}git pull\n/,
    );
    const json = await runNex(["upgrade", "--json"]);
    const { commands, installation } = JSON.parse(json.stdout) as Record<string, unknown>;
    assert.deepEqual([installation, commands], ["clone", ["git pull", "npm ci", "npm run build"]]);
  });
});
