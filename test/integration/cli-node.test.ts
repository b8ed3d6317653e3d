import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startFakeNode } from "../support/fake-node.ts";
import type { FakeNode } from "../support/fake-node.ts";
import { runNex } from "../support/run-nex.ts";
import type { NexResult } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";

let nats: TestNats;
let otter: FakeNode;
let lynx: FakeNode;

before(async () => {
  nats = await startNats({ jetstream: false });
  otter = await startFakeNode({
    url: nats.url,
    name: "quiet-otter",
    memory: { total: 63_883_232, free: 1000, available: 12 },
  });
  lynx = await startFakeNode({
    url: nats.url,
    name: "brave-lynx",
    nexus: "second",
    tags: { "nex.lameduck": "true", "nex.unsafe": "true" },
  });
});
after(async () => {
  await otter?.[Symbol.asyncDispose]();
  await lynx?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

function nex(args: readonly string[], env: Record<string, string> = {}): Promise<NexResult> {
  return runNex(args, { env: { NATS_URL: nats.url, NATS_TIMEOUT: "300ms", ...env } });
}

describe("nex node ls", { concurrency: 2 }, () => {
  test("draws a table sorted by name, lame duck marked, with an empty line behind it", async () => {
    const { code, stdout, stderr } = await nex(["node", "ls"]);
    const line = (id: string, name: string): string =>
      `│ ${id.padEnd(57)} │ ${name.padEnd(11)} │ 0.2.7   │         0 │ 8m47s  │`;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(
      stdout,
      `╭────────────────────────────────────────────────────────────────────────────────────────────────────────╮
│                                          NATS Execution Nodes                                          │
├───────────────────────────────────────────────────────────┬─────────────┬─────────┬───────────┬────────┤
│ ID (* = Lameduck Mode)                                    │ Name        │ Version │ Workloads │ Uptime │
├───────────────────────────────────────────────────────────┼─────────────┼─────────┼───────────┼────────┤
${line(`${lynx.nodeId}*`, "brave-lynx")}
${line(otter.nodeId, "quiet-otter")}
╰───────────────────────────────────────────────────────────┴─────────────┴─────────┴───────────┴────────╯

`,
    );
  });

  test("adds nexus, sandbox and platform with --full, sorted by nexus", async () => {
    const { stdout } = await nex(["nodes", "ls", "--full"]);
    const rows = stdout.split("\n").filter((line) => line.includes("0.2.7"));
    const cells = rows.map((row) =>
      row
        .split("│")
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
    assert.deepEqual(cells, [
      ["nexus", otter.nodeId, "quiet-otter", "0.2.7", "0", "8m47s", "true", "linux", "amd64"],
      ["second", `${lynx.nodeId}*`, "brave-lynx", "0.2.7", "0", "8m47s", "false", "linux", "amd64"],
    ]);
  });

  test("prints the documented shape with --json", async () => {
    const { stdout } = await nex(["node", "ls", "--json"]);
    const nodes = JSON.parse(stdout) as Record<string, unknown>[];
    const tags = { "nex.os": "linux", "nex.arch": "amd64", "nex.cpucount": "2", node_name: "quiet-otter" };
    assert.deepEqual(nodes[1], {
      id: otter.nodeId,
      name: "quiet-otter",
      nexus: "nexus",
      version: "0.2.7",
      workloads: 0,
      uptime: "8m47s",
      lame_duck: false,
      sandboxed: true,
      os: "linux",
      arch: "amd64",
      xkey: otter.xkey,
      tags,
    });
    assert.deepEqual([nodes[0]?.["lame_duck"], nodes[0]?.["sandboxed"]], [true, false]);
  });

  test("says that there are none", async () => {
    await using empty = await startNats({ jetstream: false });
    const text = await nex(["node", "ls"], { NATS_URL: empty.url });
    const json = await nex(["node", "ls", "--json"], { NATS_URL: empty.url });
    assert.deepEqual(
      [text.code, text.stdout, json.code, json.stdout],
      [0, "No nodes discovered\n", 0, "[]\n"],
    );
  });
});

describe("nex node info", { concurrency: 2 }, () => {
  test("prints the report by id, by the beginning of it in any case, and by name", async () => {
    const expected = new RegExp(
      `^NEX Node Information\\n\\n {7}Node: ${otter.nodeId}\\n {7}Xkey: ${otter.xkey}\\n`,
    );
    for (const word of [otter.nodeId, distinctBeginning(otter, lynx).toLowerCase(), "quiet-otter"]) {
      const { code, stdout } = await nex(["node", "info", word]);
      assert.equal(code, 0);
      assert.match(stdout, expected);
      assert.match(stdout, /\n {4}Available: 12\n {8}Total: 63,883,232\n\nWorkloads:\n\n {4}none\n$/);
    }
  });

  test("prints the documented shape with --json", async () => {
    const { stdout } = await nex(["node", "info", lynx.nodeId, "--json"]);
    const { node_id, memory, workloads, supported_workload_types } = JSON.parse(stdout) as Record<
      string,
      unknown
    >;
    assert.deepEqual(
      [node_id, memory, workloads, supported_workload_types],
      [lynx.nodeId, null, [], ["native", "v8", "wasm"]],
    );
  });

  const unknownId = "NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574";
  const failures: readonly (readonly [word: string, text: RegExp])[] = [
    [unknownId, /^nex: error: Cannot read the node's information: there is no node "NBXHUHG5/],
    ["nobody", /^nex: error: No node "nobody" among 2\nhint: List the nodes with "nex node ls"\n$/],
    [
      "N",
      /^nex: error: "N" means 2 nodes:\n {2}N\S{55}\n {2}N\S{55}\nhint: Give a longer beginning of the id\n$/,
    ],
    ["", /^nex: error: No node "" among 2\n/],
  ];
  for (const [word, text] of failures) {
    test(`refuses "${word.slice(0, 8)}" with exit code 1`, async () => {
      const { code, stdout, stderr } = await nex(["node", "info", word]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, text);
    });
  }

  test("refuses a namespace that is no subject token", async () => {
    const { code, stderr } = await nex(["node", "info", otter.nodeId, "--namespace=a.b"]);
    assert.equal(code, 1);
    assert.match(stderr, /^nex: error: Namespace "a\.b" is not valid\nhint: /);
  });
});

/** The shortest beginning of `node`'s id that `other`'s does not share. */
function distinctBeginning({ nodeId }: FakeNode, other: FakeNode): string {
  let length = 1;
  while (other.nodeId.startsWith(nodeId.slice(0, length))) length++;
  return nodeId.slice(0, length);
}
