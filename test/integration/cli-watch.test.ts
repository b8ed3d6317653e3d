import assert from "node:assert/strict";
import { mkdtemp, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startNex } from "../support/run-nex.ts";
import type { RunningNex } from "../support/run-nex.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode, TestNodeOptions } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const says = (word: string): string => `() => ${JSON.stringify(word)}\n`;

interface Watched extends AsyncDisposable {
  readonly node: TestNode;
  readonly path: string;
  readonly nex: RunningNex;
  call(): Promise<string>;
}

async function startWatch(options: TestNodeOptions = {}, ...argv: string[]): Promise<Watched> {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await startTestNode(options));
  const home = await mkdtemp(join(tmpdir(), "nex-test-watch-"));
  stack.defer(async () => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const path = join(home, "say.js");
  await writeFile(path, says("one"));
  const nex = stack.use(
    await startNex(["devrun", "say.js", "--trigger_subject=say", "--watch", ...argv], {
      cwd: home,
      env: { HOME: home, NATS_URL: node.nats.url },
    }),
  );
  await nex.waitForLine(/^Watching say\.js/);
  const resources = stack.move();
  return {
    node,
    path,
    nex,
    call: async () => (await node.connection.request("say", "", { timeout: 5000 })).json<string>(),
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

async function running({ node }: Watched): Promise<string[]> {
  return (await node.client.nodeInfo(node.node.nodeId)).machines.map(({ id }) => id);
}

describe("nex devrun --watch", { concurrency: 2 }, () => {
  test("deploys a saved function again without a gap, and leaves one copy", async () => {
    await using watched = await startWatch();
    const replies: string[] = [];
    const done = new AbortController();
    const calling = (async () => {
      while (!done.signal.aborted) replies.push(await watched.call());
    })();
    await writeFile(watched.path, says("two"));
    await until(() => replies.at(-1) === "two");
    await until(async () => (await running(watched)).length === 1);
    done.abort();
    await calling;
    assert.deepEqual([...new Set(replies)].sort(), ["one", "two"]);
  });

  test("notices editors that write another file and rename it", async () => {
    await using watched = await startWatch();
    await writeFile(`${watched.path}.tmp`, says("renamed"));
    await rename(`${watched.path}.tmp`, watched.path);
    await until(async () => (await watched.call()) === "renamed");
  });

  test("tells a failure, keeps the older copy running and goes on", async () => {
    await using watched = await startWatch();
    await writeFile(watched.path, "() => (");
    await watched.nex.waitForLine(/^⛔ Workload run request failed to submit: .*compile/);
    await watched.nex.waitForLine(/^Still watching say\.js/);
    assert.equal(await watched.call(), "one");
    await unlink(watched.path);
    await watched.nex.waitForLine(/there is no such file/);
    await writeFile(watched.path, says("better"));
    await until(async () => (await watched.call()) === "better");
  });

  test("replaces the copy also on a node that has room for one only", async () => {
    await using watched = await startWatch({ configuration: { node_limits: { max_workloads: 1 } } });
    await writeFile(watched.path, says("two"));
    await until(async () => (await watched.call()) === "two");
    await until(async () => (await running(watched)).length === 1);
  });

  test("prints one line of JSON per deploy, nothing for a save that changes nothing, and ends with Ctrl-C", async () => {
    await using watched = await startWatch({}, "--json");
    await writeFile(watched.path, says("one"));
    await writeFile(watched.path, says("two"));
    const lines = await until(() => {
      const found = watched.nex.stdout().trim().split("\n");
      return found.length === 2 ? found : undefined;
    });
    const [first, second] = lines.map(
      (line) => JSON.parse(line) as { readonly workload_id: string; readonly stopped: readonly string[] },
    );
    assert.deepEqual([first?.stopped, second?.stopped], [[], [first?.workload_id]]);
    watched.nex.signal("SIGINT");
    const { code, stderr } = await watched.nex.exit;
    assert.equal(code, 0);
    assert.match(stderr, /No longer watching say\.js; workload 'sayjs' \(\S+\) keeps running\n$/);
    assert.deepEqual(await running(watched), [second?.workload_id]);
  });

  test("excludes --no-stop", async () => {
    await using nex = await startNex(["devrun", "say.js", "--watch", "--no-stop"]);
    const { code, stderr } = await nex.exit;
    assert.deepEqual(
      [code, stderr],
      [1, "nex: error: flags '--watch' and '--no-stop' exclude each other, try --help\n"],
    );
  });
});
