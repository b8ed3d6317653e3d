// Functions that mean harm beside one that does not, on one node at the same time: each invocation of the first ends with
// its reason, each of the second is answered right. `npm run bench:neighbours` measures what it costs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { getPriority } from "node:os";
import { findAgents } from "../support/marked-processes.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestDeploy } from "../support/deployer.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { buildModule, op } from "../support/wasm-builder.ts";

const PATIENCE_MS = 60_000;
const TIMEOUT = /^(v8|wasm) execution timed out after 400ms$/;
/** The reason of the invocation itself, or of its agent. */
const OUT_OF_MEMORY = /memory limit|timed out after 400ms$|^agent |no responders/;

/** On a busy machine any invocation may take too long, or its agent, which is then replaced; meanwhile nobody listens. */
const LATE = /timed out after 400ms$|^agent |no responders/;

interface Hostile {
  readonly artifact: string | Uint8Array;
  /** What its callers are told; undefined: it answers. */
  readonly reason?: RegExp;
}

const HOSTILE: Readonly<Record<string, Hostile>> = {
  loop: { artifact: "() => { for (;;); }", reason: TIMEOUT },
  wasmloop: { artifact: buildModule({ start: op.loop(op.branch(0)) }), reason: TIMEOUT },
  heap: {
    artifact: "() => { const all = []; for (;;) all.push(new Array(1000).fill({})); }",
    reason: OUT_OF_MEMORY,
  },
  buffers: {
    artifact: "() => { const all = []; for (;;) all.push(new Uint8Array(1048576).fill(1)); }",
    reason: new RegExp(`^RangeError: Array buffer allocation failed|${OUT_OF_MEMORY.source}`),
  },
  logs: { artifact: "() => { for (;;) console.log('x'.repeat(100)); }", reason: TIMEOUT },
  never: { artifact: "() => new Promise(() => {})", reason: TIMEOUT },
  regexp: { artifact: "() => /^(a|a)*$/.test('a'.repeat(40) + 'b')", reason: TIMEOUT },
  recursion: { artifact: "() => (function deep() { deep() })()", reason: /^RangeError: Maximum call stack/ },
  oversized: {
    artifact: "() => 'x'.repeat(2 * 1048576)",
    reason: /^cannot send the reply \(2097154 bytes\): the server takes 1048576 \(max_payload\)$/,
  },
  calls: {
    artifact: `async () => {
      for (;;) await Promise.allSettled(Array.from({ length: 500 }, () => hostServices.async.kv.get("x")));
    }`,
    reason: TIMEOUT,
  },
};

let it: TestNode;

before(async () => {
  it = await startTestNode({
    configuration: { machine_pool_size: 3, functions: { timeout_ms: 400, memory_mib: 32, concurrency: 2 } },
  });
});
after(async () => it?.[Symbol.asyncDispose]());

async function ask(subject: string, payload = ""): Promise<readonly [failure: string, text: string]> {
  const reply = await it.connection.request(subject, payload, { timeout: PATIENCE_MS });
  return [reply.headers?.get("Nats-Service-Error") ?? "", reply.string()];
}

async function deploy(order: TestDeploy): Promise<string> {
  const workloadType = typeof order.artifact === "string" ? "v8" : "wasm";
  return (await it.deploy({ workloadType, triggerSubjects: [`${order.name}.*`], ...order })).id;
}

/** Deploys a hostile function, asks it two at a time, so that instances come and go, and stops it. */
async function harm(name: string, { artifact, reason = /^$/ }: Hostile, fresh: boolean): Promise<void> {
  const id = await deploy({ name, artifact, ...(typeof artifact === "string" ? { fresh } : {}) });
  const told: string[] = [];
  for (let round = 0; round < 3; round++)
    told.push(...(await Promise.all([reasonOf(`${name}.a`), reasonOf(`${name}.b`)])));
  assert.ok(
    told.some((text) => reason.test(text)),
    `${name}: ${told.join("; ")}`,
  );
  for (const text of told) assert.ok(reason.test(text) || LATE.test(text), `${name}: ${text}`);
  const { machines } = await it.client.nodeInfo(it.node.nodeId);
  const present = machines.find(({ workload }) => workload.name === name);
  await it.stop(present?.id ?? id, name).catch(() => {});
}

for (const fresh of [false, true]) {
  test(`a function is answered right beside ${fresh ? "fresh " : ""}ones that mean harm`, async () => {
    const suffix = fresh ? "fresh" : "kept";
    await deploy({
      name: `quiet${suffix}`,
      artifact: "let n = 0; (subject, payload) => { n++; return payload; }",
    });
    const kinds = Object.entries(HOSTILE);
    const lane = async (): Promise<void> => {
      for (let next = kinds.pop(); next !== undefined; next = kinds.pop())
        await harm(`${next[0]}${suffix}`, next[1], fresh);
    };
    const over = new AbortController();
    const lanes = Promise.all([lane(), lane()]).finally(() => over.abort());
    lanes.catch(() => {});
    let asked = 0;
    for (; !over.signal.aborted; asked++) {
      const payload = `${suffix} ${asked}`;
      assert.deepEqual(await ask(`quiet${suffix}.x`, payload), ["", payload]);
    }
    await lanes;
    assert.ok(asked > 20, `asked ${asked} times only`);
  });
}

async function reasonOf(subject: string): Promise<string> {
  return ask(subject).then(
    ([failure]) => failure,
    (error: Error) => error.message,
  );
}

test("functions give way to their node", { skip: process.platform !== "linux" }, async () => {
  const id = await deploy({ name: "gives", artifact: "() => 1" });
  const pid = findAgents([id]).get(id);
  assert.ok(pid !== undefined);
  assert.equal(getPriority(pid), Math.min(19, getPriority() + 10));
});
