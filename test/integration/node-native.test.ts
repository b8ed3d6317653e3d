import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

let it: TestNode;

before(async () => {
  it = await startTestNode();
});
after(async () => it[Symbol.asyncDispose]());

test("a native workload gets its arguments and exactly its own variables, with upper-case names", async () => {
  const logs = await collectLogs(it.connection);
  const { id } = await it.deploy({
    name: "show",
    artifact:
      '#!/bin/sh\necho "arguments $*"\n/usr/bin/env | /usr/bin/sort\necho problem >&2\nexec /bin/sleep 1000\n',
    arguments: ["one", "two"],
    environment: { nats_url: "nats://example", Mixed: "x y" },
  });
  const of = (level: string) =>
    logs.filter((line) => line.id === id && line.level === level).map(({ text }) => text);
  await until(() => of("ERROR").length > 0 && of("INFO").length >= 4);
  assert.deepEqual(of("ERROR"), ["problem"]);
  const lines = of("INFO").filter((line) => !line.startsWith("Workload show "));
  // PWD and the like come from the shell itself.
  const own = lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
  assert.deepEqual(own, ["arguments one two", "MIXED=x y", "NATS_URL=nats://example"]);
  await it.stop(id, "show");
});

test("a native workload that ends by itself is reported once with its exit code, and leaves the listing", async () => {
  const events = await collectEvents(it.connection);
  const { id } = await it.deploy({ name: "brief", artifact: "#!/bin/sh\nexit 7\n" });
  const undeployed = () =>
    events.filter((event) => event.type === "workload_undeployed" && event.source.endsWith(id));
  await until(() => undeployed().length > 0);
  await until(async () => (await it.client.nodeInfo(it.node.nodeId)).machines.length === 0);
  assert.equal(undeployed().length, 1);
  assert.equal(undeployed()[0]?.data["code"], 7);
  assert.equal(undeployed()[0]?.data["message"], `Exited workload: brief; vm: ${id}; status: 7`);
  assert.equal(events.filter((event) => event.type === "workload_deployed").length, 1);
});

test("a workload that ignores signals and forks is gone, whole tree, when stop says so", async () => {
  const marker = `nex-test-${process.pid}-${Date.now()}`;
  const logs = await collectLogs(it.connection);
  const { id } = await it.deploy({
    name: "stubborn",
    artifact: [
      "#!/bin/sh",
      'trap "" INT TERM HUP',
      `/usr/bin/setsid /bin/sh -c 'trap "" INT TERM HUP; while :; do /bin/sleep 1; done' ${marker} >/dev/null 2>&1 </dev/null &`,
      `( /bin/sh -c 'trap "" INT TERM HUP; while :; do /bin/sleep 1; done' ${marker} & ) `,
      "echo up",
      "while :; do /bin/sleep 1; done",
    ].join("\n"),
  });
  await until(() => logs.some((line) => line.id === id && line.text === "up"));
  await until(async () => (await processesWith(marker)) >= 2);
  await it.stop(id, "stubborn");
  assert.equal(await processesWith(marker), 0);
  assert.equal(await processesWith(`workload-${id}`), 0);
});

test("stop is refused for a wrong issuer, name, namespace or an unknown id, and the workload goes on", async () => {
  const { id } = await it.deploy({ name: "steady", artifact: "#!/bin/sh\nexec /bin/sleep 1000\n" });
  const other = (await import("../../src/control-api/keys.ts")).createSigningKey("account");
  const { createControlClient } = await import("../../src/control-api/control-client.ts");
  const elsewhere = createControlClient({ connection: it.connection, namespace: "elsewhere" });
  const { nodeId } = it.node;
  const order = { nodeId, workloadId: id, workloadName: "steady", issuer: it.issuer };
  await assert.rejects(
    it.client.stop({ ...order, issuer: other }),
    /the only entity allowed to terminate a workload/,
  );
  await assert.rejects(
    it.client.stop({ ...order, workloadName: "x" }),
    /does not match original start claims subject/,
  );
  await assert.rejects(elsewhere.stop(order), /No such workload/);
  await assert.rejects(elsewhere.stop({ ...order, issuer: other }), /No such workload/);
  await assert.rejects(it.client.stop({ ...order, workloadId: "unknown" }), /No such workload/);
  assert.equal((await it.client.nodeInfo(nodeId)).machines[0]?.id, id);
  await it.stop(id, "steady");
  assert.equal((await it.client.nodeInfo(nodeId)).machines.length, 0);
});

/** Processes of this machine whose command line contains `text`. */
async function processesWith(text: string): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line.includes(text)).length;
}
