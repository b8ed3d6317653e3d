// The public NATS server that a node brings (protocol section 9.8).
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createControlClient } from "../../src/control-api/control-client.ts";
import { signingKeyFromSeed } from "../../src/control-api/keys.ts";
import { sealingKeyFromSeed } from "../../src/control-api/sealing-key.ts";
import { createLogger } from "../../src/lib/logger.ts";
import type { LogEntry } from "../../src/lib/logger.ts";
import { parseConfiguration } from "../../src/node/configuration.ts";
import { startNode } from "../../src/node/start-node.ts";
import type { NodeHandle } from "../../src/node/start-node.ts";
import { runNex, startNex } from "../support/run-nex.ts";
import { testNatsServer } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

let directory: string;
let example: Record<string, unknown>;
let binary: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-test-public-"));
  binary = await testNatsServer();
  const file = join(import.meta.dirname, "..", "..", "examples", "nodeconfigs", "public_nats_server.json");
  example = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
});
after(async () => rm(directory, { recursive: true, force: true }));

/** The example with a port and a store of its own. */
function configuration(name: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  const server = example["public_nats_server"] as Record<string, unknown>;
  const store = join(directory, `${name}-store`);
  return {
    ...example,
    pid_filepath: join(directory, `${name}.pid`),
    public_nats_server: { ...server, port: -1, store_dir: store, ...change },
  };
}

async function start(input: Record<string, unknown>, logs: LogEntry[] = []): Promise<NodeHandle> {
  return startNode({
    configuration: parseConfiguration(input, "test"),
    connection: { servers: "nats://127.0.0.1:1" },
    usePublicServer: true,
    findNatsServer: async () => binary,
    environment: {},
    logger: createLogger((entry) => logs.push(entry)),
    version: "0.2.7",
  });
}

function serverUrl(logs: readonly LogEntry[]): string {
  const url = logs.find(({ message }) => message === "Public NATS server started")?.fields["client_url"];
  assert.ok(typeof url === "string");
  return url;
}

test("the node of the example connects to its own server, which has JetStream and ends with it", async () => {
  const logs: LogEntry[] = [];
  const node = await start(configuration("own"), logs);
  const connection = await connect({ servers: serverUrl(logs), reconnect: false });
  assert.equal(connection.info?.server_name, "nex-public");
  await (await jetstreamManager(connection)).streams.add({ name: "ANY", subjects: ["any"] });
  const nodes = await createControlClient({ connection }).listNodes({ enough: (all) => all.length > 0 });
  assert.deepEqual(
    nodes.map(({ node_id: id, tags }) => [id, tags?.["public_nats_server"]]),
    [[node.nodeId, "true"]],
  );
  assert.deepEqual(await node.stop(), { kind: "stopped" });
  await connection.closed();
  await assert.rejects(connect({ servers: serverUrl(logs), reconnect: false }));
});

test("the node ends when its public server does", async () => {
  const logs: LogEntry[] = [];
  const node = await start({ ...configuration("dies"), shutdown_timeout_ms: 1000 }, logs);
  const pid = logs.find(({ message }) => message === "Public NATS server started")?.fields["pid"];
  assert.ok(typeof pid === "number");
  process.kill(pid, "SIGKILL");
  assert.deepEqual(await node.closed, { kind: "public-server-ended", message: "signaled" });
});

test("what cannot be translated is an error before anything is started", async () => {
  const logs: LogEntry[] = [];
  await assert.rejects(start(configuration("bad", { leaf: { remotes: [{}] } }), logs), {
    code: "CONFIGURATION_INVALID",
    message: /public_nats_server\.leaf\.remotes/,
  });
  assert.deepEqual(logs, []);
});

test("`nex node up` keeps the keys of the flags, and ends with code 0 when it was told to end when idle", async () => {
  const file = join(directory, "idle.json");
  await writeFile(file, JSON.stringify(configuration("idle")));
  const seeds = { node: join(directory, "node.nk"), xkey: join(directory, "node.xk") };
  await using nex = await startNex(
    ["node", "up", `--config=${file}`, `--node-seed=${seeds.node}`, `--xkey-seed=${seeds.xkey}`],
    { env: { NEX_NATS_SERVER: binary } },
  );
  const [, url = ""] = await nex.waitForLine(/Public NATS server started.*client_url=(\S+)/);
  await nex.waitForLine(/awaiting commands/);
  const connection = await connect({ servers: url, reconnect: false });
  const nodeId = signingKeyFromSeed(await readFile(seeds.node, "utf8")).publicKey;
  const client = createControlClient({ connection });
  assert.equal(
    (await client.nodeInfo(nodeId)).public_xkey,
    sealingKeyFromSeed(await readFile(seeds.xkey, "utf8")).publicKey,
  );
  await client.enterLameDuck(nodeId, { exit_when_idle: true });
  assert.equal((await nex.exit).code, 0);
  await connection.closed();
});

test("`nex node up` with the example needs no other server", async () => {
  const file = join(directory, "config.json");
  await writeFile(file, JSON.stringify(configuration("command")));
  const env = { NEX_NATS_SERVER: binary };
  await using nex = await startNex(["node", "up", `--config=${file}`], { env });
  const [, url = ""] = await nex.waitForLine(/Public NATS server started.*client_url=(\S+)/);
  await nex.waitForLine(/awaiting commands/);
  const listed = await until(async () => {
    const { stdout } = await runNex(["node", "ls", "--json", `--server=${url}`], { env });
    return stdout.includes('"public_nats_server"') && stdout;
  });
  assert.match(listed, /"id": "N/);
  nex.signal("SIGINT");
  const { code } = await nex.exit;
  assert.equal(code, 0);
  await assert.rejects(connect({ servers: url, reconnect: false }));
});
