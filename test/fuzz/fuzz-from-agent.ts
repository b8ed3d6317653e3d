import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/lib/logger.ts";
import { createProcessDriver } from "../../src/sandbox/process/process-driver.ts";
import type { SandboxDriver } from "../../src/sandbox/sandbox.ts";
import { residentMiB } from "../support/process-status.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { FuzzReport } from "./fuzz-control.ts";

const AGENT = fileURLToPath(new URL("../../dist/agent.js", import.meta.url));
const CLONE = fileURLToPath(new URL("../..", import.meta.url));
const HOSTILE = fileURLToPath(new URL("../integration/fixtures/hostile-agent.ts", import.meta.url));

/**
 * Lets an agent send messages to every subject that a node serves for it, while a function of another agent of the same
 * node, in this process, must go on answering.
 */
export async function fuzzFromAgent(messages: number, seed: number): Promise<FuzzReport> {
  await using it = await startTestNode({
    driver: hostileFirst(messages, seed),
    configuration: { machine_pool_size: 2 },
  });
  const subject = "fuzz.beside";
  const done = Promise.withResolvers<void>();
  let lines = 0;
  it.connection.subscribe("$NEX.logs.default.*.hostile.*", {
    callback: (_error, message) => {
      lines += 1;
      if (message.string().includes(`"sent ${messages}"`)) done.resolve();
    },
  });
  // The first agent of the pool goes to the first deploy.
  const hostile = await it.deploy({ name: "hostile", artifact: "#!/bin/sh\n" });
  await it.deploy({ name: "beside", artifact: "() => 1", workloadType: "v8", triggerSubjects: [subject] });
  const before = await residentMiB(process.pid);
  const progress = { isDone: false };
  void done.promise.then(() => (progress.isDone = true));
  while (!progress.isDone) {
    const answer = (await it.connection.request(subject, "", { timeout: 15_000 })).string();
    if (answer !== "1") throw new Error(`The function beside answered "${answer}"`);
    const { machines } = await it.client.nodeInfo(it.node.nodeId);
    if (!machines.some(({ id }) => id === hostile.id)) throw new Error("The node gave the agent up");
  }
  const after = await residentMiB(process.pid);
  return { sent: messages, replies: lines, residentBeforeMiB: before, residentAfterMiB: after };
}

/** The first sandbox runs the hostile agent, all others the real one. */
function hostileFirst(messages: number, seed: number): SandboxDriver {
  const driver = (agentArgv: readonly string[]): SandboxDriver =>
    createProcessDriver({
      agentProgram: process.execPath,
      agentArgv,
      neededFiles: [CLONE],
      logger: silentLogger,
    });
  const hostile = driver([HOSTILE, String(messages), String(seed)]);
  const real = driver([AGENT]);
  let started = 0;
  return {
    name: real.name,
    isolation: real.isolation,
    probe: async () => real.probe(),
    start: async (spec, options) => (started++ === 0 ? hostile : real).start(spec, options),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([hostile[Symbol.asyncDispose](), real[Symbol.asyncDispose]()]);
    },
  };
}
