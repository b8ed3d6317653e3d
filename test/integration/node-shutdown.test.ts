// The end of a node: orderly while there is time, then by force (protocol section 14.4).
import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { silentLogger } from "../../src/lib/logger.ts";
import { createProcessDriver } from "../../src/sandbox/process/process-driver.ts";
import type { SandboxDriver } from "../../src/sandbox/sandbox.ts";
import { AGENT_PROGRAM } from "../support/agent-program.ts";
import { collectLogs } from "../support/collect-events.ts";
import { createMarker, findMarkedProcesses } from "../support/marked-processes.ts";
import { startNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const FORCED = "The shutdown takes too long: killing what is left";

test("a workload that ignores its signals is killed, and the node ends, when the time is over", async () => {
  await using it = await startTestNode({ configuration: { shutdown_timeout_ms: 200 } });
  const logs = await collectLogs(it.connection);
  const marker = createMarker();
  await it.deploy({
    name: "stubborn",
    artifact: `#!/bin/sh\ntrap "" INT TERM HUP\necho up\n/bin/sh -c 'trap "" INT TERM HUP; while :; do /bin/sleep 1; done' ${marker}\n`,
  });
  await until(() => logs.some(({ text }) => text === "up"));
  await until(() => findMarkedProcesses(marker).length > 0);
  assert.deepEqual(await it.node.stop(), { kind: "stopped" });
  assert.ok(it.logs.some(({ message }) => message === FORCED));
  assert.deepEqual(findMarkedProcesses(marker), []);
  assert.deepEqual(await it.node.closed, { kind: "stopped" });
});

test("a node whose server is gone ends, and its pid file goes with it", async () => {
  const nats = await startNats();
  await using it = await startTestNode({ nats, configuration: { shutdown_timeout_ms: 500 } });
  const marker = createMarker();
  await it.deploy({ name: "beside", artifact: `#!/bin/sh\n/bin/sh -c '/bin/sleep 1000; :' ${marker}\n` });
  await it.deploy({
    name: "waits",
    artifact: "() => 1",
    workloadType: "v8",
    triggerSubjects: ["shutdown.waits"],
  });
  await until(() => findMarkedProcesses(marker).length > 0);
  await nats.stop();
  await until(() => it.logs.some(({ message }) => message.startsWith("Lost the node NATS connection")));
  assert.deepEqual(await it.node.stop(), { kind: "stopped" });
  assert.deepEqual(findMarkedProcesses(marker), []);
  await assert.rejects(access(it.pidFile));
  await nats[Symbol.asyncDispose]();
});

test("an orderly end needs no force and says goodbye", async () => {
  await using it = await startTestNode();
  await it.deploy({ name: "polite", artifact: "#!/bin/sh\nexec /bin/sleep 1000\n" });
  await it.node.stop();
  assert.ok(!it.logs.some(({ message }) => message === FORCED));
  assert.ok(it.logs.some(({ message }) => message === "Publishing node stopped event"));
});

test("a deploy that waits for an agent is refused at once when the node ends", async () => {
  const real = createProcessDriver({
    agentProgram: process.execPath,
    agentArgv: [AGENT_PROGRAM],
    logger: silentLogger,
    isolation: "none",
  });
  let starts = 0;
  const driver: SandboxDriver = {
    name: real.name,
    isolation: real.isolation,
    // So long a deploy waits.
    bootTimeMs: 25_000,
    probe: () => real.probe(),
    start: async (spec, options) => {
      starts += 1;
      if (starts === 1) return real.start(spec, options);
      await delay(60_000, undefined, options?.signal === undefined ? {} : { signal: options.signal });
      throw new Error("unreachable");
    },
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
  await using it = await startTestNode({ driver });
  await it.deploy({ name: "first", artifact: "#!/bin/sh\nexec /bin/sleep 1000\n" });
  const asked = Promise.withResolvers<void>();
  it.connection.subscribe("$NEX.DEPLOY.>", { callback: () => asked.resolve() });
  const waiting = assert.rejects(it.deploy({ name: "second", artifact: "#!/bin/sh\n" }), {
    message: /no available agent client in pool \(the node is shutting down\)/,
  });
  await asked.promise;
  await it.node.stop();
  await waiting;
  assert.ok(!it.logs.some(({ message }) => message === FORCED));
});
