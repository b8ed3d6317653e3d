import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { startFakeNode } from "../support/fake-node.ts";
import { runNex } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";

interface Diagnosis {
  readonly code: number | null;
  readonly stderr: string;
  readonly status: Readonly<Record<string, string>>;
  readonly checks: Readonly<Record<string, { readonly summary: string; readonly fix?: string }>>;
}

async function diagnose(
  url: string,
  argv: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Diagnosis> {
  const { code, stdout, stderr } = await runNex(["doctor", "--json", `--server=${url}`, ...argv], {
    env: { NATS_TIMEOUT: "700ms", ...env },
  });
  const { ok, checks } = JSON.parse(stdout) as {
    readonly ok: boolean;
    readonly checks: readonly {
      readonly name: string;
      readonly status: string;
      readonly summary: string;
      readonly fix?: string;
    }[];
  };
  assert.equal(ok, code === 0);
  for (const { name, status, fix } of checks) {
    if (status === "failed" || status === "warning") assert.ok(fix !== undefined, `${name} names no fix`);
  }
  return {
    code,
    stderr,
    status: Object.fromEntries(checks.map((check) => [check.name, check.status])),
    checks: Object.fromEntries(checks.map((check) => [check.name, check])),
  };
}

async function streamNames(nats: TestNats): Promise<string[]> {
  const manager = await jetstreamManager(await nats.connect());
  const names: string[] = [];
  for await (const name of manager.streams.names()) names.push(name);
  return names;
}

describe("nex doctor", { concurrency: 2 }, () => {
  test("finds nothing wrong beside a node, and leaves nothing behind", async () => {
    await using node = await startTestNode();
    const { code, stderr, status, checks } = await diagnose(node.nats.url);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(status, {
      "node.js": "ok",
      "nats-server": status["nats-server"],
      keys: "ok",
      connection: "ok",
      jetstream: "ok",
      permissions: "ok",
      bucket: "ok",
      nodes: "ok",
      clock: "ok",
    });
    assert.match(checks["connection"]?.summary ?? "", /nats-server \d+\.\d+.*round trip \d+ ms$/);
    assert.match(checks["clock"]?.summary ?? "", /^within 5 s of node /);
    assert.deepEqual(await streamNames(node.nats), []);
    assert.deepEqual((await node.client.nodeInfo(node.node.nodeId)).machines, []);
  });

  test("with a bucket, tells how full it is and compares the server's clock, and stores nothing", async () => {
    await using node = await startTestNode();
    await node.upload("some", "content");
    const manager = await jetstreamManager(node.connection);
    const before = (await manager.streams.info("OBJ_NEXCLIFILES")).state.messages;
    const { status, checks } = await diagnose(node.nats.url);
    assert.equal(status["bucket"], "ok");
    assert.match(checks["bucket"]?.summary ?? "", /^NEXCLIFILES holds 0\.0 MiB of /);
    assert.match(checks["clock"]?.summary ?? "", /the NATS server/);
    assert.equal((await manager.streams.info("OBJ_NEXCLIFILES")).state.messages, before);
  });

  test("without a server fails with the connection and skips what needs one", async () => {
    const { code, stderr, status, checks } = await diagnose("nats://127.0.0.1:1");
    assert.deepEqual([code, stderr], [1, "nex: error: 1 of 9 checks failed: connection\n"]);
    assert.deepEqual([status["connection"], status["nodes"], status["keys"]], ["failed", "skipped", "ok"]);
    assert.match(checks["connection"]?.fix ?? "", /--embedded-nats/);
  });

  test("without JetStream and nodes names both, with their fixes", async () => {
    await using nats = await startNats({ jetstream: false });
    const { code, stderr, status, checks } = await diagnose(nats.url);
    assert.equal(code, 1);
    assert.equal(stderr, "nex: error: 3 of 9 checks failed: jetstream, bucket, nodes\n");
    assert.match(checks["jetstream"]?.fix ?? "", /nats-server -js/);
    assert.match(checks["nodes"]?.fix ?? "", /nex node up/);
    assert.equal(status["clock"], "skipped");
  });

  test("names the subjects that the user may not use", async () => {
    const configText = `authorization { users = [ { user: u, password: p, permissions: {
      publish: { deny: ["$NEX.DEPLOY.>", "$O.NEXCLIFILES.>"] }, subscribe: { deny: ["$NEX.logs.>"] } } } ] }`;
    await using nats = await startNats({ configText });
    const { status, checks } = await diagnose(nats.url, ["--user=u", "--password=p"]);
    assert.equal(status["permissions"], "failed");
    const { summary = "", fix = "" } = checks["permissions"] ?? {};
    assert.match(summary, /publish "\$NEX\.DEPLOY\.default\.doctor"/);
    assert.match(summary, /publish "\$O\.NEXCLIFILES\.C\.doctor"/);
    assert.match(summary, /subscribe "\$NEX\.logs\.default\.>"/);
    assert.doesNotMatch(summary, /STOP|PING/);
    assert.match(fix, /\$NEX\.>, \$O\.NEXCLIFILES\.>/);
  });

  test("says why credentials are refused, without them", async () => {
    await using nats = await startNats({ configText: "authorization { user: u, password: right }" });
    const { code, stdout, stderr } = await runNex(["doctor", "-s", nats.url, "--user=u", "--password=wr0ng"]);
    assert.equal(code, 1);
    assert.match(stdout, /^⛔ connection: .*refused.*\n {3}fix: /m);
    assert.doesNotMatch(stdout + stderr, /wr0ng/);
  });

  test("finds keys that are open to others or no keys, and how to correct them", async () => {
    const home = await mkdtemp(join(tmpdir(), "nex-test-doctor-"));
    try {
      await mkdir(join(home, ".nex"), { mode: 0o700 });
      await writeFile(join(home, ".nex", "issuer.nk"), "no key");
      await chmod(join(home, ".nex", "issuer.nk"), 0o644);
      const { status, checks } = await diagnose("nats://127.0.0.1:1", [], { HOME: home });
      assert.equal(status["keys"], "failed");
      assert.match(checks["keys"]?.summary ?? "", /open to others \(mode 644\).*Cannot use key file/);
      assert.match(checks["keys"]?.fix ?? "", /chmod 600 .*issuer\.nk/);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  test("fails when every node is in lame duck mode, and not when another takes workloads", async () => {
    await using nats = await startNats();
    await using duck = await startFakeNode({ url: nats.url, tags: { "nex.lameduck": "true" } });
    const first = await diagnose(nats.url);
    assert.equal(first.status["nodes"], "failed");
    assert.match(
      first.checks["nodes"]?.summary ?? "",
      /^no node takes workloads: 1 node, 1 in lame duck mode/,
    );
    await using node = await startTestNode({ nats });
    const second = await diagnose(nats.url);
    assert.equal(second.status["nodes"], "ok", `${duck.nodeId} ${node.node.nodeId}`);
    assert.match(second.checks["nodes"]?.summary ?? "", /^2 nodes, 1 in lame duck mode/);
  });
});
