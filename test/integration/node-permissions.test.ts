import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { subjectsOverlap } from "../../src/control-api/trigger-overlap.ts";
import { NexError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/logger.ts";
import type { LogEntry } from "../../src/lib/logger.ts";
import type { ConnectionSettings } from "../../src/nats/connection-settings.ts";
import { loadConfiguration } from "../../src/node/configuration.ts";
import { startNode } from "../../src/node/start-node.ts";
import type { NodeHandle } from "../../src/node/start-node.ts";
import { makeOperator } from "../support/nats-operator.ts";
import { startNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-test-permissions-"));
});
after(async () => rm(directory, { recursive: true, force: true }));

async function start(connection: ConnectionSettings, logs: LogEntry[] = []): Promise<NodeHandle> {
  return startNode({
    configuration: await loadConfiguration(undefined, {
      no_sandbox: true,
      pid_filepath: join(directory, `${Math.random()}.pid`),
    }),
    connection,
    environment: {},
    logger: createLogger((entry) => logs.push(entry)),
    version: "0.2.7",
  });
}

const CREDENTIALS = { user: "node", password: "secret" };
const user = (permissions: string): string =>
  `authorization { users = [ { user: node, password: secret, permissions: { ${permissions} } } ] }`;

const DENIED = {
  auction: "$NEX.AUCTION",
  "PING of all nodes": "$NEX.PING",
  PING: "$NEX.PING.*",
  WPING: "$NEX.WPING.>",
  INFO: "$NEX.INFO.*.*",
  DEPLOY: "$NEX.DEPLOY.*.*",
  STOP: "$NEX.STOP.*.*",
  LAMEDUCK: "$NEX.LAMEDUCK.*",
} as const;

for (const [name, denied] of Object.entries(DENIED)) {
  test(`a node that may not subscribe ${name} does not start and names the subject`, async () => {
    await using nats = await startNats({ configText: user(`subscribe: { deny: "${denied}" }`) });
    await assert.rejects(start({ servers: nats.url, ...CREDENTIALS }), (error: unknown) => {
      assert.ok(error instanceof NexError);
      assert.equal(error.code, "CONTROL_SUBJECT_REFUSED");
      const named = /does not let it subscribe "([^"]+)"/.exec(error.message)?.[1] ?? "";
      assert.ok(subjectsOverlap(named, denied), error.message);
      return true;
    });
  });
}

test("a node that may not publish events runs, and the log names the subject once", async () => {
  await using nats = await startNats({
    configText: user(`publish: { deny: "$NEX.events.>" }, subscribe: { deny: "$SRV.>" }`),
  });
  const logs: LogEntry[] = [];
  await using node = await start({ servers: nats.url, ...CREDENTIALS }, logs);
  const client = await nats.connect({ user: "node", pass: "secret" });
  await client.request(`$NEX.LAMEDUCK.${node.nodeId}`);
  const of = (action: string) =>
    logs.filter(
      ({ message }) => message === `The node NATS connection has no permission to ${action} a subject`,
    );
  await until(() => of("publish to").length > 0 && of("subscribe").length > 0);
  assert.match(String(of("publish to")[0]?.fields["subject"]), /^\$NEX\.events\.system\./);
  await client.request(`$NEX.PING.${node.nodeId}`);
  assert.equal(of("publish to").length, 1);
});

test("a node without JetStream says so at start, and a deploy is refused with that reason", async () => {
  await using withoutStore = await startNats({ jetstream: false });
  await using it = await startTestNode({ nats: withoutStore });
  await until(() => it.logs.some(({ message }) => message.includes("has no JetStream")));
  await assert.rejects(
    it.client.deploy({
      nodeId: it.node.nodeId,
      workloadName: "fn",
      workloadType: "v8",
      location: "nats://NEXCLIFILES/fn",
      triggerSubjects: ["nojs.fn"],
      issuer: it.issuer,
      publisher: it.publisher,
    }),
    /Failed to cache workload bytes: .*JetStream/,
  );
});

test("credentials that expire while the node runs: the log says so once, and the node goes on trying", async () => {
  const operator = makeOperator({ expires: Math.floor(Date.now() / 1000) + 3 });
  await using nats = await startNats({ jetstream: false, configText: operator.configText });
  const logs: LogEntry[] = [];
  await using node = await start(
    { servers: nats.url, userJwt: operator.userJwt, userSeed: operator.userSeed },
    logs,
  );
  const expired = () => logs.filter(({ message }) => message.includes("have expired"));
  await until(() => expired().length > 0);
  await until(() => logs.some(({ message }) => message.startsWith("Lost")));
  const since = performance.now();
  await until(() => performance.now() - since > 3000);
  assert.equal(expired().length, 1);
  assert.ok(logs.filter(({ level }) => level === "error").length <= 2);
  assert.match(node.nodeId, /^N/);
});
