// A real agent process over a real internal NATS server: what a virtual machine adds is its walls.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseTriggerReply, triggerHeaders } from "../../src/agent-api/trigger.ts";
import { connectNetworkLink } from "../../src/agent/network-link.ts";
import type { InternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import { startTestInternalNats } from "../support/internal-nats.ts";
import { startNetworkAgent } from "../support/network-agent.ts";
import type { NetworkAgent } from "../support/network-agent.ts";
import { compileStatic, noCompiler } from "../support/static-program.ts";
import { until } from "../support/until.ts";

const LONG_MS = 60_000;
const NOTHING = new Uint8Array(0);
const compiler = await noCompiler();
let nats: InternalNats;

before(async () => {
  nats = await startTestInternalNats();
});
after(async () => nats[Symbol.asyncDispose]());

describe("Agent over the network", { timeout: LONG_MS }, () => {
  test("runs a function: deploy, triggers, a failing one, logs, and its end", async () => {
    await using agent = await startNetworkAgent(nats, "function1");
    const source = `(subject, payload) => {
      console.log("called on", subject);
      if (payload.length === 0) throw new Error("nothing to do");
      return payload;
    }`;
    assert.deepEqual(await agent.deploy("v8", new TextEncoder().encode(source)), {
      accepted: true,
      message: "Workload deployed",
    });
    const trigger = async (body: Uint8Array): Promise<ReturnType<typeof parseTriggerReply>> =>
      parseTriggerReply(
        await agent.added.link.request("agentint.function1.trigger", body, {
          timeoutMs: LONG_MS,
          headers: triggerHeaders("test.in"),
        }),
      );
    const payload = new Uint8Array(500_000).fill(7);
    const reply = await trigger(payload);
    assert.ok(reply.kind === "succeeded" && reply.runtimeNs > 0);
    assert.deepEqual(new Uint8Array(reply.body), payload);
    const failure = await trigger(NOTHING);
    assert.ok(failure.kind === "failed");
    assert.match(failure.message, /nothing to do/);
    await until(() => agent.logs.includes("called on test.in"));
    await agent.added.link.request("agentint.function1.undeploy", NOTHING, { timeoutMs: LONG_MS });
    await until(() => agent.events.some(([type]) => type === "workload_undeployed"));
    assert.deepEqual(
      agent.events.map(([type]) => type),
      ["workload_deployed", "workload_undeployed"],
    );
  });

  test(
    "loads the engine of functions while it waits",
    { skip: process.platform !== "linux" && "reads /proc" },
    async () => {
      await using agent = await startNetworkAgent(nats, "waiting1");
      const maps = `/proc/${agent.process.pid}/maps`;
      await until(async () => (await readFile(maps, "utf8")).includes("isolated-vm"));
    },
  );

  test("leaves when its node closes the link, and when its credentials are withdrawn", async () => {
    await using first = await startNetworkAgent(nats, "left1");
    await first.added.link.close();
    assert.deepEqual(await first.process.exit, { kind: "exited", code: 0 });
    await using second = await startNetworkAgent(nats, "left2");
    await second.added[Symbol.asyncDispose]();
    assert.deepEqual(await second.process.exit, { kind: "exited", code: 0 });
  });

  test("leaves when the server is gone, and on SIGTERM, telling the node", async () => {
    await using other = await startTestInternalNats();
    await using agent = await startNetworkAgent(other, "orphan");
    process.kill(other.pid, "SIGKILL");
    assert.deepEqual(await agent.process.exit, { kind: "exited", code: 0 });
    await using asked = await startNetworkAgent(nats, "asked");
    asked.process.signal("SIGTERM");
    assert.deepEqual(await asked.process.exit, { kind: "exited", code: 0 });
    assert.deepEqual(await asked.added.link.closed, {
      kind: "lost",
      reason: "the other side closed the link",
    });
  });

  test("with a wrong seed it is refused with a reason that does not show it", async () => {
    const [known, stranger] = await Promise.all([nats.addAgent("known"), nats.addAgent("stranger")]);
    await stranger[Symbol.asyncDispose]();
    const { host, port } = nats;
    const { nkeySeed } = stranger;
    await assert.rejects(connectNetworkLink({ id: "known", host, port, nkeySeed }), (error: Error) => {
      assert.match(error.message, /Cannot connect to the node at ".*": authorization violation/i);
      return !error.message.includes(nkeySeed);
    });
    await known[Symbol.asyncDispose]();
  });
});

describe("Agent in sandbox mode", { timeout: LONG_MS }, () => {
  const skip = process.platform !== "linux" ? "programs are checked for Linux" : compiler;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "nex-test-static-"));
  });
  after(async () => rm(directory, { recursive: true, force: true }));

  const refusalOf = async (artifact: Uint8Array): Promise<string> => {
    await using agent: NetworkAgent = await startNetworkAgent(nats, `check${(count += 1)}`);
    const { accepted, message } = await agent.deploy("native", artifact);
    assert.equal(accepted, false);
    return message;
  };
  let count = 0;

  test("refuses scripts and dynamic programs with the texts of the protocol", async () => {
    assert.equal(
      await refusalOf(new TextEncoder().encode("#!/bin/sh\n")),
      "Failed to validate workload: failed to open source binary: it is not an ELF program",
    );
    assert.equal(
      await refusalOf((await readFile(process.execPath)).subarray(0, 64 * 1024)),
      "Failed to validate workload: file failed static link check: native binary contains at least one dynamically linked dependency",
    );
  });

  test("runs a static program and reports its exit code", { skip }, async () => {
    const program = join(directory, "exit");
    await compileStatic(
      '#include <stdio.h>\nint main(void) { puts("hello from inside"); return 7; }\n',
      program,
    );
    await using agent = await startNetworkAgent(nats, "native1");
    assert.equal((await agent.deploy("native", await readFile(program))).accepted, true);
    await until(() => agent.events.some(([type]) => type === "workload_undeployed"));
    assert.deepEqual(agent.events.at(-1)?.[1], {
      workload_name: "test",
      code: 7,
      message: "Exited workload: test; vm: native1; status: 7",
    });
    assert.ok(agent.logs.includes("hello from inside"));
  });
});
