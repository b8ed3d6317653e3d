import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { collectLogs } from "../support/collect-events.ts";
import { descendantsWith } from "../support/process-status.ts";
import { runNex } from "../support/run-nex.ts";
import { startTestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const needsLinux = process.platform === "linux" ? false : "reads /proc, which is Linux only";

test("a node tells the isolation of its workloads in its log, in INFO and in the deploy reply", async () => {
  await using it = await startTestNode();
  const { isolation = "" } = await it.client.nodeInfo(it.node.nodeId);
  assert.match(isolation, /^child process \(.+\)$/);
  const reply = await it.deploy({ name: "sleeper", artifact: "#!/bin/sh\nexec /bin/sleep 1000\n" });
  assert.equal(reply.isolation, isolation);
  const shown = await runNex(["node", "info", it.node.nodeId], { env: { NATS_URL: it.nats.url } });
  assert.ok(shown.stdout.includes(`Isolation: ${isolation}`), shown.stdout + shown.stderr);
  const line = it.logs.find(({ message }) => message.startsWith("Sandboxing is off"));
  assert.equal(line?.fields["isolation"], isolation);
  assert.ok(Array.isArray(line?.fields["missing"]));
});

test("process_isolation none leaves a workload all that the node may do", { skip: needsLinux }, async () => {
  await using it = await startTestNode({ configuration: { process_isolation: "none" } });
  const { isolation = "" } = await it.client.nodeInfo(it.node.nodeId);
  assert.doesNotMatch(isolation, /user of its own|read-only|privileges|MiB|processes/);
  const logs = await collectLogs(it.connection);
  const { id } = await it.deploy({
    name: "who",
    artifact: "#!/bin/sh\n/usr/bin/id -u\nexec /bin/sleep 1000\n",
  });
  await until(() => logs.some((log) => log.id === id && log.text === String(process.getuid?.())));
});

test(
  "a function's agent is confined, and a listener on loopback hears nothing of it",
  { skip: needsLinux },
  async () => {
    await using it = await startTestNode();
    let connections = 0;
    const listener = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    using _ = { [Symbol.dispose]: () => listener.close() };
    const { port } = listener.address() as AddressInfo;
    const { isolation = "" } = await it.deploy({
      name: "prober",
      workloadType: "v8",
      triggerSubjects: ["isolation.probe"],
      artifact: `async () => {
      const tries = [() => fetch("http://127.0.0.1:${port}/"), () => fetch("http://localhost:${port}/")];
      const seen = [];
      for (const attempt of tries) seen.push(await attempt().then(({ status }) => status, () => "refused"));
      return [seen, typeof process, typeof require, Object.keys(env ?? {})];
    }`,
    });
    const answer = (await it.connection.request("isolation.probe", "", { timeout: 15_000 })).json();
    assert.deepEqual(answer, [["refused", "refused"], "undefined", "undefined", []]);
    assert.equal(connections, 0);

    const agents = await descendantsWith(process.pid, "dist/agent.js");
    const statuses = await Promise.all(agents.map(async (pid) => readFile(`/proc/${pid}/status`, "utf8")));
    const confined = statuses.filter((status) => /^Name:\s+(node|MainThread)/m.test(status));
    assert.ok(confined.length > 0);
    for (const status of confined) {
      if (isolation.includes("no new privileges")) assert.match(status, /^NoNewPrivs:\s+1$/m);
      if (!isolation.includes("user of its own")) continue;
      assert.doesNotMatch(status, new RegExp(`^Uid:\\s+${process.getuid?.()}\\b`, "m"));
      assert.match(status, /^CapBnd:\s+0+$/m);
    }
  },
);
