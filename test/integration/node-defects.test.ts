/*
 * What release 0.2.7 does wrong and this node does right (protocol section 18.1). Rows and where they are held:
 *
 *  1 here, node-deploy-checks, node-concurrency      2 here                    3 node-deploy-checks
 *  4 here, node-deploy-checks                        5 node-deploy-checks      6 node-deploy-checks
 *  7 here, node-functions                            8 here                    9, 10 src/node/warm-pool.test.ts
 * 11 node-concurrency                               12 here, node-events      13 node-events
 * 14 node-lame-duck                                 15 node-essential         16 node-autostart
 * 17 here, src/node/configuration.test.ts           18 no request can fail so
 * 19 no internal server yet                         20 no metrics yet         21 here
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createDeployToken, createStopToken } from "../../src/control-api/claims.ts";
import { parseDeployReply } from "../../src/control-api/deploy.ts";
import { sealEnvironment } from "../../src/control-api/sealed-environment.ts";
import { claimPidFile } from "../../src/node/pid-file.ts";
import { collectEvents } from "../support/collect-events.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const SLEEP = "#!/bin/sh\nexec /bin/sleep 1000\n";
const nowSeconds = (): number => Math.floor(Date.now() / 1000);
let node: TestNode;

before(async () => {
  node = await startTestNode({ configuration: { machine_pool_size: 3, host_services: null } });
});
after(async () => node?.[Symbol.asyncDispose]());

/** All replies to one request, up to an answer to a PING that is sent behind it. */
async function replies(subject: string, body: string): Promise<{ error?: string }[]> {
  const { connection } = node;
  const inbox = `replies.${Math.random()}`;
  const received: { error?: string }[] = [];
  connection.subscribe(inbox, { callback: (_error, message) => void received.push(message.json()) });
  connection.publish(subject, body, { reply: inbox });
  await until(() => received.length > 0);
  // A second reply would have been sent at once.
  await node.client.pingNode(node.node.nodeId);
  await connection.flush();
  return received;
}

async function listed(): Promise<readonly string[]> {
  return (await node.client.nodeInfo(node.node.nodeId)).machines.map(({ id }) => id);
}

function stopBody(id: string, token: string, change: Record<string, unknown> = {}): string {
  return JSON.stringify({
    workload_id: id,
    workload_jwt: token,
    target_node: node.node.nodeId,
    ...change,
  });
}

describe("Row 1: an auction", () => {
  for (const body of ["null", "", "{}", "7", "{", '{"tags": null, "workload_types": null}']) {
    it(`with the body ${JSON.stringify(body)} has no conditions`, async () => {
      const reply = await node.connection.request("$NEX.AUCTION", body);
      assert.equal(reply.json<{ data: { node_id: string } }>().data.node_id, node.node.nodeId);
    });
  }
});

describe("Rows 2 and 4: a stop", () => {
  it("gets one reply when it is refused, and one when it succeeds", async () => {
    const { id } = await node.deploy({ name: "single", artifact: SLEEP });
    const subject = `$NEX.STOP.default.${node.node.nodeId}`;
    const token = createStopToken({
      issuer: node.issuer,
      workloadName: "single",
      issuedAt: nowSeconds() + 1,
    });
    assert.deepEqual(
      (await replies(subject, stopBody("unknown", token))).map(({ error }) => error),
      ["No such workload"],
    );
    assert.deepEqual(
      (await replies(subject, stopBody(id, token, { target_node: "NOTHER" }))).map(({ error }) => error),
      ["Unable to deserialize stop request: target node mismatch"],
    );
    assert.deepEqual(await listed(), [id]);
    assert.deepEqual(
      (await replies(subject, stopBody(id, token))).map(({ error }) => error),
      [undefined],
    );
    assert.deepEqual(await listed(), []);
  });
});

describe("Row 7: a deploy whose connection is refused", () => {
  const nowhere = { nats_url: "nats://127.0.0.1:1", nats_user_jwt: "", nats_user_seed: "" };
  for (const [name, order] of [
    ["host_services", { hostServices: nowhere }],
    ["trigger_connection", { triggerConnection: nowhere }],
  ] as const) {
    it(`(${name}) fails, and nothing of it is left`, async () => {
      const events = await collectEvents(node.connection);
      await assert.rejects(
        node.deploy({
          name: "cut",
          artifact: "() => 1",
          workloadType: "v8",
          triggerSubjects: ["cut.off"],
          ...order,
        }),
        /Failed to deploy workload: /,
      );
      assert.deepEqual(await listed(), []);
      await assert.rejects(node.connection.request("cut.off", "", { timeout: 500 }), /no responders/i);
      assert.deepEqual(
        events.filter(({ type }) => type.startsWith("workload_")),
        [],
      );
    });
  }
});

describe("Row 8: with a pool of several agents", () => {
  it("every id is the workload that was deployed under it", async () => {
    const names = ["pool0", "pool1", "pool2", "pool3"];
    const deployed = await Promise.all(
      names.map(async (name) =>
        node.deploy({
          name,
          artifact: `() => "${name}"`,
          workloadType: "v8",
          triggerSubjects: [`pool.${name}`],
        }),
      ),
    );
    const { machines } = await node.client.nodeInfo(node.node.nodeId);
    assert.deepEqual(
      machines.map(({ id, workload }) => `${id} ${workload.name}`).toSorted(),
      deployed.map(({ id, name }) => `${id} ${name}`).toSorted(),
    );
    const [first, ...others] = deployed;
    await node.stop(first?.id ?? "", first?.name ?? "");
    await assert.rejects(node.connection.request(`pool.${first?.name}`), /no responders/i);
    for (const { name } of others) {
      assert.equal((await node.connection.request(`pool.${name}`)).json(), name);
    }
    await Promise.all(others.map(async ({ id, name }) => node.stop(id, name)));
  });
});

describe("Row 12: a stopped workload", () => {
  for (const [workloadType, order] of [
    ["native", { artifact: SLEEP }],
    ["v8", { artifact: "() => 1", triggerSubjects: ["told"] }],
  ] as const) {
    it(`(${workloadType}) is reported once`, async () => {
      const events = await collectEvents(node.connection);
      const { id } = await node.deploy({ name: "told", workloadType, ...order });
      await node.stop(id, "told");
      const ended = (): unknown[] => events.filter((event) => event.type === "workload_undeployed");
      await until(() => ended().length > 0);
      await node.client.pingNode(node.node.nodeId);
      await node.connection.flush();
      assert.deepEqual(
        events.filter((event) => event.type === "workload_undeployed").map(({ data }) => data),
        [
          {
            workload_name: "told",
            code: 0,
            message: "Workload shutdown requested",
            name: "told",
            reason: "Workload shutdown requested",
            vmid: id,
          },
        ],
      );
    });
  }
});

describe("Tokens", () => {
  it("a stop that was captured does not stop the next deploy of the name", async () => {
    const subject = `$NEX.STOP.default.${node.node.nodeId}`;
    const first = await node.deploy({ name: "again", artifact: SLEEP });
    const plain = createStopToken({ issuer: node.issuer, workloadName: "again" });
    const named = createStopToken({ issuer: node.issuer, workloadName: "again", workloadId: first.id });
    const [stopped] = await replies(subject, stopBody(first.id, plain));
    assert.equal(stopped?.error, undefined);
    const captured = nowSeconds();
    await until(() => nowSeconds() > captured);
    const second = await node.deploy({ name: "again", artifact: SLEEP });
    const [replayed] = await replies(subject, stopBody(second.id, plain));
    assert.match(replayed?.error ?? "", /appear to be cloned or captured/);
    // Even one of a later second is for the workload that it names.
    const later = createStopToken({
      issuer: node.issuer,
      workloadName: "again",
      workloadId: first.id,
      issuedAt: nowSeconds() + 5,
    });
    const [misdirected] = await replies(subject, stopBody(second.id, later));
    assert.match(misdirected?.error ?? "", /stop claims are for another workload/);
    assert.match(
      (await replies(subject, stopBody(second.id, named)))[0]?.error ?? "",
      /^Invalid stop request/,
    );
    assert.deepEqual(await listed(), [second.id]);
    await node.stop(second.id, "again");
  });

  it("a deploy that was captured works as long as its token may be old, and no longer", async () => {
    const location = await node.upload("replay", SLEEP);
    const request = (issuedAt: number): string =>
      JSON.stringify({
        type: "native",
        description: "",
        location,
        workload_jwt: createDeployToken({ issuer: node.issuer, workloadName: "replay", issuedAt }),
        environment: sealEnvironment({
          environment: {},
          sender: node.publisher,
          recipient: node.node.publicXkey,
        }),
        sender_public_key: node.publisher.publicKey,
        target_node: node.node.nodeId,
      });
    const send = async (body: string): Promise<Uint8Array> =>
      (await node.connection.request(`$NEX.DEPLOY.default.${node.node.nodeId}`, body, { timeout: 10_000 }))
        .data;
    const fresh = request(nowSeconds() - 200);
    for (const body of [fresh, fresh]) await node.stop(parseDeployReply(await send(body)).id, "replay");
    const stale = await send(request(nowSeconds() - 310));
    assert.throws(
      () => parseDeployReply(stale),
      /Invalid deploy request: standard claims within JWT are not valid/,
    );
    const early = await send(request(nowSeconds() + 310));
    assert.throws(() => parseDeployReply(early), /standard claims within JWT are not valid/);
  });
});

describe("Row 17: without host service settings", () => {
  it("functions are triggered on the control connection's server", async () => {
    const { id } = await node.deploy({
      name: "plain",
      artifact: "() => 7",
      workloadType: "v8",
      triggerSubjects: ["plain"],
    });
    assert.equal((await node.connection.request("plain")).string(), "7");
    await node.stop(id, "plain");
  });
});

describe("Row 21: a pid file", () => {
  it("of a living process is respected, whoever owns it; others are taken over and removed", async () => {
    const directory = await mkdtemp(join(tmpdir(), "nex-test-pid-"));
    const path = join(directory, "node.pid");
    try {
      // Process 1 always lives, and belongs to root.
      await writeFile(path, "1");
      await assert.rejects(claimPidFile(path), {
        code: "NODE_RUNNING",
        message: "node process already running; pid: 1",
      });
      await writeFile(path, "hello");
      await assert.rejects(claimPidFile(path), { code: "PID_FILE_INVALID" });
      await writeFile(path, "999999999");
      {
        await using _file = await claimPidFile(path);
        assert.equal(await readFile(path, "utf8"), String(process.pid));
      }
      await assert.rejects(readFile(path), { code: "ENOENT" });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
