// A native artifact that no agent would start is refused before an agent is used up for it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { silentLogger } from "../../src/lib/logger.ts";
import { createProcessDriver } from "../../src/sandbox/process/process-driver.ts";
import type { SandboxDriver } from "../../src/sandbox/sandbox.ts";
import { AGENT_PROGRAM } from "../support/agent-program.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const REFUSED = 'Cannot deploy workload "x": Failed to deploy workload: workload rejected by agent: ';
const POOL_SIZE = 2;

/** A node whose driver says that it isolates like this, with the ids of the agents that it has started. */
async function startCountedNode(isolation: SandboxDriver["isolation"]): Promise<{
  readonly it: TestNode;
  readonly started: readonly string[];
}> {
  const started: string[] = [];
  const real = createProcessDriver({
    agentProgram: process.execPath,
    agentArgv: [AGENT_PROGRAM],
    logger: silentLogger,
    isolation: "none",
  });
  const driver: SandboxDriver = {
    name: real.name,
    isolation,
    probe: () => real.probe(),
    start: (spec, options) => {
      started.push(spec.id);
      return real.start(spec, options);
    },
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
  const it = await startTestNode({ driver, configuration: { machine_pool_size: POOL_SIZE } });
  await until(() => started.length === POOL_SIZE && idle(it) === POOL_SIZE);
  return { it, started };
}

function idle({ logs }: TestNode): number {
  return logs.filter(({ message }) => message === "Adding new agent process to warm pool").length;
}

test("a refused program takes no agent of a node without a sandbox, and none is started for it", async () => {
  const { it, started } = await startCountedNode("process");
  await using _ = it;
  const foreign = Buffer.from((await readFile(process.execPath)).subarray(0, 64));
  foreign.writeUInt16LE(0x1234, 18);
  for (const [artifact, reason] of [
    ["just some text", "exec format error: neither an ELF program nor a script that begins with #!"],
    [
      foreign,
      `exec format error: the program is for another processor (ELF machine 4660, this host is ${process.arch})`,
    ],
  ] as const) {
    await assert.rejects(it.deploy({ name: "x", artifact }), {
      message: `${REFUSED}Failed to start workload: ${reason}`,
    });
  }
  assert.deepEqual(await it.client.nodeInfo(it.node.nodeId).then(({ machines }) => machines), []);
  assert.equal(started.length, POOL_SIZE);
  const { id } = await it.deploy({ name: "good", artifact: "#!/bin/sh\nexec /bin/sleep 1000\n" });
  assert.ok(started.slice(0, POOL_SIZE).includes(id), "one of those that were warm all the time");
  await until(() => started.length === POOL_SIZE + 1);
});

test("a program that is not static takes no machine", async () => {
  const { it, started } = await startCountedNode("virtual-machine");
  await using _ = it;
  for (const [artifact, reason] of [
    [
      await readFile("/bin/sh"),
      "file failed static link check: native binary contains at least one dynamically linked dependency",
    ],
    ["#!/bin/sh\n", "failed to open source binary: it is not an ELF program"],
  ] as const) {
    await assert.rejects(it.deploy({ name: "x", artifact }), {
      message: `${REFUSED}Failed to validate workload: ${reason}`,
    });
  }
  assert.equal(started.length, POOL_SIZE);
  assert.equal(it.logs.filter(({ message }) => message === "Machine ended").length, 0);
});

test("what the object store does not have takes no agent either", async () => {
  const { it, started } = await startCountedNode("process");
  await using _ = it;
  const location = `${await it.upload("there", "x")}-not`;
  await assert.rejects(
    it.client.deploy({
      workloadType: "native",
      issuer: it.issuer,
      publisher: it.publisher,
      nodeId: it.node.nodeId,
      workloadName: "gone",
      location,
    }),
    { message: /nats: object not found/ },
  );
  assert.equal(started.length, POOL_SIZE);
});
