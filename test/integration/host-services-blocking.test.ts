// Host calls that stop a function's thread, in real agents: at the time limit, at a stop, when the agent dies, and from
// an agent that means harm.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { listProcesses } from "../../src/lib/process-table.ts";
import { silentLogger } from "../../src/lib/logger.ts";
import { createProcessDriver } from "../../src/sandbox/process/process-driver.ts";
import { startHttpPeer } from "../support/start-http-peer.ts";
import type { HttpPeer } from "../support/start-http-peer.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const CLONE = fileURLToPath(new URL("../..", import.meta.url));
const HOSTILE = fileURLToPath(new URL("fixtures/hostile-calls-agent.ts", import.meta.url));
const LIMIT_MS = 30_000;

interface Scene extends AsyncDisposable {
  readonly it: TestNode;
  readonly peer: HttpPeer;
  readonly id: string;
  /** Lets go of the requests to `/held` so far. */
  readonly release: () => void;
  ask(path: string): Promise<string>;
}

/** A function that gets a path of a peer, which holds some of its answers back. */
async function startScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const held: (() => void)[] = [];
  const peer = stack.use(
    await startHttpPeer({
      answer: ({ url }, response) => {
        if (url === "/held") held.push(() => void response.end("released"));
        else if (url !== "/never") response.end("at once");
      },
    }),
  );
  const it = stack.use(
    await startTestNode({
      configuration: {
        host_services: {
          services: { http: { enabled: true, config: { allow: ["127.0.0.1"], timeout_ms: 4900 } } },
        },
      },
    }),
  );
  const { id } = await it.deploy({
    name: "waits",
    workloadType: "v8",
    triggerSubjects: ["waits"],
    artifact: `(subject, payload) => {
      const url = "${peer.origin}" + new TextDecoder().decode(payload);
      for (;;) try { return hostServices.http.get(url).response } catch (error) { console.log(error.message) }
    }`,
  });
  const resources = stack.move();
  return {
    it,
    peer,
    id,
    release: () => {
      for (const answer of held.splice(0)) answer();
    },
    ask: async (path) => {
      const reply = await it.connection.request("waits", path, { timeout: LIMIT_MS });
      return reply.headers?.get("Nats-Service-Error") || reply.json<string>();
    },
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

test("a function that waits for the host at its time limit is ended, and the next invocation works", async () => {
  await using scene = await startScene();
  assert.equal(await scene.ask("/never"), "v8 execution timed out after 5000ms");
  assert.equal(await scene.ask("/now"), "at once");
  await until(async () => (await scene.peer.connections()) === 0);
});

test("an answer leaves before the next invocation stops the thread (I5)", async () => {
  await using scene = await startScene();
  const replies: string[] = [];
  const all = Promise.all(Array.from({ length: 3 }, async () => replies.push(await scene.ask("/held"))));
  for (let answered = 0; answered < 3; answered++) {
    await until(() => scene.peer.requests.length === answered + 1);
    assert.equal(replies.length, answered);
    scene.release();
    // While the next one already waits for its own.
    await until(() => replies.length === answered + 1);
  }
  await all;
});

test("a stop waits for the answer that a function waits for, and then leaves nothing", async () => {
  await using scene = await startScene();
  const answer = scene.ask("/held");
  await until(() => scene.peer.requests.length === 1);
  const stopped = scene.it.stop(scene.id, "waits");
  scene.release();
  assert.equal(await answer, "released");
  await stopped;
  await until(async () => (await scene.it.client.nodeInfo(scene.it.node.nodeId)).machines.length === 0);
});

test("a node that ends takes along an agent whose thread waits for it", async () => {
  let agent: number | undefined;
  {
    await using scene = await startScene();
    const answer = scene.ask("/never").catch(() => "none");
    await until(() => scene.peer.requests.length === 1);
    agent = await agentProcess();
    void answer;
  }
  assert.ok(agent !== undefined);
  const left = await listProcesses();
  assert.ok(
    left.every(({ pid, isZombie }) => pid !== agent || isZombie),
    "the agent is left",
  );
});

test("whoever waits for a function whose agent is killed in a host call is answered", async () => {
  await using scene = await startScene();
  const answer = scene.ask("/never");
  await until(() => scene.peer.requests.length === 1);
  const agent = await agentProcess();
  assert.ok(agent !== undefined);
  process.kill(agent, "SIGKILL");
  assert.match(await answer, /agent was killed by SIGKILL/);
  await until(async () => (await scene.peer.connections()) === 0);
});

for (const attack of ["garbage", "beyond", "flood"]) {
  test(`an agent that writes ${attack} to its stream for calls costs only that stream`, async () => {
    const driver = createProcessDriver({
      agentProgram: process.execPath,
      agentArgv: [HOSTILE, attack],
      neededFiles: [CLONE],
      logger: silentLogger,
    });
    await using it = await startTestNode({ driver, configuration: { machine_pool_size: 1 } });
    await it.deploy({
      name: "hostile",
      artifact: "() => 1",
      workloadType: "v8",
      triggerSubjects: ["hostile"],
    });
    for (let round = 0; round < 3; round++) {
      const reply = await it.connection.request("hostile", "", { timeout: LIMIT_MS });
      assert.match(reply.string(), /^\d+$/);
    }
    assert.ok(it.logs.length < 500, "the log was not flooded");
  });
}

/** The process that runs the only busy agent of this one: the one whose thread waits in a read. */
async function agentProcess(): Promise<number | undefined> {
  const mine = await descendants();
  for (const pid of mine) {
    const waits = await readFile(`/proc/${pid}/syscall`, "latin1").catch(() => "");
    // read(5, …): number 0 on x64, 63 on arm64.
    if (/^(0|63) 0x5 /.test(waits)) return pid;
  }
  return undefined;
}

async function descendants(): Promise<readonly number[]> {
  const all = await listProcesses();
  const known = new Set([process.pid]);
  for (let size = -1; size !== known.size;) {
    size = known.size;
    for (const { pid, parent } of all) if (known.has(parent)) known.add(pid);
  }
  known.delete(process.pid);
  return [...known];
}
