import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { encodeMachineMetadata } from "../../src/agent-api/machine-metadata.ts";
import { fetchMachineMetadata } from "../../src/agent/metadata-service.ts";
import { testNatsServer } from "../support/start-nats.ts";
import { startMetadataPeer } from "../support/metadata-peer.ts";
import { until } from "../support/until.ts";

const LONG_MS = 60_000;
const METADATA = { workloadId: "w1", host: "192.168.127.1", port: 4222, nkeySeed: "SUSEED" };
const run = promisify(execFile);

describe("fetchMachineMetadata", { timeout: LONG_MS }, () => {
  test("gets what the node's side encoded, with a token", async () => {
    await using peer = await startMetadataPeer();
    peer.store(JSON.stringify({ ...encodeMachineMetadata(METADATA), unknown: true }));
    const { metadata, message } = await fetchMachineMetadata({ url: peer.url });
    const { workloadId, ...server } = METADATA;
    assert.deepEqual(metadata, { workloadId, sandboxed: true, transport: { kind: "network", ...server } });
    assert.equal(message, "Host-supplied metadata");
    assert.deepEqual(peer.requests, ["PUT /latest/api/token", "GET /"]);
  });

  test("tries again while there is no document, or not a good one", async () => {
    await using peer = await startMetadataPeer();
    const fetched = fetchMachineMetadata({ url: peer.url, limitMs: LONG_MS });
    await until(() => peer.requests.filter((line) => line === "GET /").length >= 2);
    peer.store("{half");
    const before = peer.requests.length;
    await until(() => peer.requests.length >= before + 3);
    peer.store(JSON.stringify({ ...encodeMachineMetadata(METADATA), vmid: "a.b" }));
    const later = peer.requests.length;
    await until(() => peer.requests.length >= later + 3);
    peer.store(JSON.stringify({ ...encodeMachineMetadata(METADATA), message: "hello" }));
    assert.equal((await fetched).message, "hello");
  });

  test("gives up with the last reason and without the seed", async () => {
    await using peer = await startMetadataPeer();
    await assert.rejects(fetchMachineMetadata({ url: peer.url, limitMs: 200 }), {
      code: "AGENT_METADATA_INVALID",
      message: /^failed to obtain metadata after 200ms: GET .* was answered with 404$/,
    });
    peer.store(JSON.stringify({ ...encodeMachineMetadata(METADATA), node_nats_port: "x" }));
    await assert.rejects(fetchMachineMetadata({ url: peer.url, limitMs: 100 }), (error: Error) => {
      assert.match(error.message, /field "node_nats_port" is missing or wrong/);
      return !error.message.includes(METADATA.nkeySeed);
    });
  });

  test("does not wait for ever for a service that accepts and is silent", async () => {
    const silent = createServer();
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    await assert.rejects(fetchMachineMetadata({ url: `http://127.0.0.1:${port}`, limitMs: 100 }), {
      code: "AGENT_METADATA_INVALID",
    });
    silent.close();
  });
});

const skip = await whyNoNamespace();

test(
  "an agent without variables asks 169.254.169.254 and shakes hands over the network",
  { skip },
  async () => {
    const namespace = `nextest${process.pid}`;
    await run("ip", ["netns", "add", namespace]);
    try {
      const inside = async (...argv: readonly string[]): Promise<{ stdout: string }> =>
        run("ip", ["netns", "exec", namespace, ...argv], { timeout: LONG_MS });
      await inside("ip", "link", "set", "lo", "up");
      await inside("ip", "address", "add", "169.254.169.254/32", "dev", "lo");
      const host = join(import.meta.dirname, "fixtures", "machine-host.ts");
      const { stdout } = await inside(process.execPath, host, await testNatsServer());
      assert.deepEqual(JSON.parse(stdout), {
        handshake: "Host-supplied metadata",
        agentEnvironment: [],
        ping: "OK",
        exit: { kind: "exited", code: 0 },
      });
    } finally {
      await run("ip", ["netns", "delete", namespace]);
    }
  },
);

/** Why this host cannot give a test a network of its own; false when it can. */
async function whyNoNamespace(): Promise<string | false> {
  if (process.platform !== "linux") return "only Linux has network namespaces";
  if (userInfo().uid !== 0) return "making a network namespace takes root";
  const name = `nexprobe${process.pid}`;
  try {
    await run("ip", ["netns", "add", name]);
    await run("ip", ["netns", "delete", name]);
    return false;
  } catch (error) {
    return `no network namespaces: ${(error as Error).message.split("\n")[0]}`;
  }
}
