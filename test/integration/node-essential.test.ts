// Essential workloads: what fails is deployed again, what was told to end is not (protocol section 8.4).
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Objm } from "@nats-io/obj";
import type { Machine } from "../../src/control-api/info.ts";
import { createSigningKey } from "../../src/control-api/keys.ts";
import { collectEvents, collectLogs } from "../support/collect-events.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

/** The workloads leave traces in files of the host. */
const UNCONFINED = { process_isolation: "none" } as const;

let nats: TestNats;
let directory: string;
let it: TestNode;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-test-essential-"));
  nats = await startNats();
  it = await startTestNode({ nats, configuration: UNCONFINED });
});
after(async () => {
  await it?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** A program that ends with `code` its first `times` times, and then runs. */
function failing(name: string, times: number, code = 3): string {
  const file = join(directory, name);
  return [
    "#!/bin/sh",
    `echo run >> ${file}`,
    'echo "started $* $MOOD"',
    `[ $(/usr/bin/wc -l < ${file}) -le ${times} ] && exit ${code}`,
    "exec /bin/sleep 1000",
  ].join("\n");
}

async function machines(node: TestNode): Promise<readonly Machine[]> {
  return (await node.client.nodeInfo(node.node.nodeId)).machines;
}

async function find(node: TestNode, name: string): Promise<Machine | undefined> {
  return (await machines(node)).find(({ workload }) => workload.name === name);
}

test("an essential workload that fails is deployed again with all it had, and INFO tells its story", async () => {
  const events = await collectEvents(it.connection);
  const logs = await collectLogs(it.connection);
  const { id: first } = await it.deploy({
    name: "phoenix",
    artifact: failing("phoenix", 2),
    essential: true,
    arguments: ["one"],
    environment: { mood: "calm" },
    description: "rises",
  });
  const machine = await until(async () => {
    const found = await find(it, "phoenix");
    return found !== undefined && found.healthy && found.workload.restarts === 2 && found;
  });
  assert.notEqual(machine.id, first);
  assert.equal(machine.workload.essential, true);
  assert.equal(machine.workload.description, "rises");
  assert.equal(machine.workload.last_exit?.code, 3);
  assert.match(machine.workload.last_exit?.reason ?? "", /status: 3/);
  assert.ok(Date.parse(machine.workload.last_exit?.time ?? "") > 0);
  const started = (): number => logs.filter(({ text }) => text === "started one calm").length;
  await until(() => started() === 3);
  const ended = events.filter(
    ({ type, data }) => type === "workload_undeployed" && data["workload_name"] === "phoenix",
  );
  assert.deepEqual(
    ended.map(({ data }) => data["code"]),
    [3, 3],
  );
  assert.equal(new Set(ended.map(({ source }) => source)).size, 2);
  await it.stop(machine.id, "phoenix");
  assert.equal(await find(it, "phoenix"), undefined);
});

test("a workload that leaves with code 0, or is not essential, is not deployed again", async () => {
  const events = await collectEvents(it.connection);
  await it.deploy({ name: "done", artifact: "#!/bin/sh\nexit 0\n", essential: true });
  await it.deploy({ name: "optional", artifact: "#!/bin/sh\nexit 3\n" });
  await until(() => events.filter(({ type }) => type === "workload_undeployed").length === 2);
  assert.deepEqual(await machines(it), []);
  const again = it.logs.filter(
    ({ message, fields }) =>
      message === "Workload is to be deployed again" && fields["workload"] !== "phoenix",
  );
  assert.deepEqual(again, []);
});

test("between two attempts it is listed as unhealthy, found by name, and stopped for good", async () => {
  await it.deploy({ name: "doomed", artifact: "#!/bin/sh\nexit 1\n", essential: true });
  // From the second attempt on there is a delay.
  const waiting = await until(async () => {
    const found = await find(it, "doomed");
    return found !== undefined && !found.healthy && (found.workload.restarts ?? 0) >= 2 && found;
  });
  const [answer] = await it.client.findWorkloads("DOOMED", { enough: (all) => all.length > 0 });
  assert.deepEqual(
    answer?.running_machines.map(({ id }) => id),
    [waiting.id],
  );
  await assert.rejects(it.stop(waiting.id, "somebody"), /does not match original start claims subject/);
  assert.deepEqual(
    { ...(await it.stop(waiting.id, "doomed")) },
    { stopped: true, id: waiting.id, issuer: it.issuer.publicKey, name: "doomed" },
  );
  assert.equal(await find(it, "doomed"), undefined);
  await assert.rejects(it.stop(waiting.id, "doomed"), /No such workload/);
});

test("a workload whose agent is killed is deployed again", async () => {
  const gate = join(directory, "orphan");
  const { id } = await it.deploy({
    name: "orphan",
    // Its parent is the agent.
    artifact: `#!/bin/sh\nif [ ! -e ${gate}.done ]; then while [ ! -e ${gate} ]; do /bin/sleep 0.05; done; echo x > ${gate}.done; kill -9 $PPID; fi\nexec /bin/sleep 1000\n`,
    essential: true,
  });
  await writeFile(gate, "");
  await until(() =>
    it.logs.some(
      ({ message, fields }) => message === "Deployed a workload again" && fields["workload"] === "orphan",
    ),
  );
  const machine = await find(it, "orphan");
  assert.ok(machine !== undefined && machine.id !== id);
  assert.equal(machine.workload.last_exit?.code, -1);
  await it.stop(machine.id, "orphan");
});

test("an attempt that is refused is followed by the next one", async () => {
  await using tight = await startTestNode({
    nats,
    configuration: { ...UNCONFINED, node_limits: { max_workloads: 1 } },
  });
  const gate = join(directory, "gate");
  await tight.deploy({
    name: "patient",
    artifact: `#!/bin/sh\nif [ ! -e ${gate} ]; then echo x > ${gate}; /bin/sleep 0.3; exit 9; fi\nexec /bin/sleep 1000\n`,
    essential: true,
  });
  // The artifact disappears for a while: the attempts fail.
  const store = await new Objm(tight.connection).open("NEXCLIFILES");
  const artifact = await store.getBlob("patient");
  await store.delete("patient");
  await until(() =>
    tight.logs.some(
      ({ message, fields }) =>
        message === "Workload is to be deployed again" &&
        String(fields["error"]).includes("nats: object not found"),
    ),
  );
  await store.putBlob({ name: "patient" }, artifact ?? new Uint8Array(0));
  const machine = await until(async () => {
    const found = await find(tight, "patient");
    return found !== undefined && found.healthy && found;
  });
  assert.ok((machine.workload.restarts ?? 0) >= 2);
  assert.equal(machine.workload.last_exit?.code, 9);
});

test("it skips the token's age and the list of issuers", async () => {
  const issuer = createSigningKey("account");
  await using strict = await startTestNode({
    nats,
    configuration: { ...UNCONFINED, max_token_age_s: 1, valid_issuers: [issuer.publicKey] },
  });
  await strict.deploy({
    name: "aged",
    issuer,
    artifact: failing("aged", 1).replace("exit 3", "/bin/sleep 2.2 && exit 3"),
    essential: true,
  });
  const machine = await until(async () => {
    const found = await find(strict, "aged");
    return found?.workload.restarts === 1 && found.healthy && found;
  });
  assert.equal(machine.workload.last_exit?.code, 3);
});

test("lame duck mode clears the flag: nothing is deployed again, waiting ones are given up", async () => {
  await using duck = await startTestNode({ nats, configuration: UNCONFINED });
  const gate = join(directory, "duck");
  await duck.deploy({
    name: "swan",
    artifact: `#!/bin/sh\nwhile [ ! -e ${gate} ]; do /bin/sleep 0.05; done\nexit 1\n`,
    essential: true,
  });
  await duck.deploy({ name: "loop", artifact: "#!/bin/sh\nexit 1\n", essential: true });
  await until(async () => (await find(duck, "loop"))?.healthy === false);
  const events = await collectEvents(duck.connection);
  await duck.client.enterLameDuck(duck.node.nodeId);
  assert.equal((await find(duck, "swan"))?.workload.essential, false);
  await writeFile(gate, "");
  await until(() => events.some(({ data }) => data["workload_name"] === "swan"));
  await until(async () => (await machines(duck)).length === 0);
});

test("a node that is stopped deploys nothing again", async () => {
  const node = await startTestNode({ nats, configuration: UNCONFINED });
  await node.deploy({ name: "last", artifact: "#!/bin/sh\nexit 1\n", essential: true });
  await until(async () => (await find(node, "last"))?.healthy === false);
  await node.node.stop();
  const at = node.logs.findIndex(({ message }) => message === "Workload manager stopping");
  const later = node.logs.slice(at).map(({ message }) => message);
  assert.ok(at >= 0 && !later.includes("Workload is to be deployed again"));
  await node[Symbol.asyncDispose]();
});
