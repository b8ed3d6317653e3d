// What is left of virtual machines when a node, a machine or a boot ends badly, and what the node makes of it.
import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Census } from "../support/census.ts";
import { isEndOf, startFollower, watchedEvents } from "../support/follower.ts";
import type { WatchedEvent } from "../support/follower.ts";
import { BOOT_MS, NATS_PORT, machineAssets, startMachineBench, warmed } from "../support/machine-bench.ts";
import type { MachineBench } from "../support/machine-bench.ts";
import { until } from "../support/until.ts";

const ECHO = join(import.meta.dirname, "..", "..", "examples", "js", "echofunction", "echo.js");
/** A machine begins to boot. */
const BOOTS = /Workload manager starting/;
const READY = /NATS execution engine awaiting commands/;

const assets = await machineAssets("qemu");
const skip = assets.kind === "missing" ? assets.reason : false;

describe("virtual machines that end badly", { skip, timeout: 900_000 }, () => {
  let bench: MachineBench;
  let empty: Census;
  before(async () => {
    bench = await startMachineBench("qemu");
    empty = await bench.census();
  });
  after(async () => bench[Symbol.asyncDispose](), { timeout: 60_000 });

  test("a node that cannot start says why and what to do, and leaves nothing", async () => {
    const garbage = join(bench.host.directory, "garbage");
    await writeFile(garbage, "no kernel");
    const mistakes: readonly (readonly [object, RegExp])[] = [
      [{ kernel_filepath: "/nonexistent/vmlinux" }, /vmlinux/],
      [{ internal_node_host: "10.1.2.3" }, /must be in the CNI subnet: internal_node_host is 10\.1\.2\.3/],
      [{ internal_node_port: NATS_PORT }, /another program listens[^]*internal_node_port/],
      [{ kernel_filepath: garbage }, /neither ELF, bzImage nor [^]*preflight --force/],
    ];
    for (const [more, text] of mistakes) {
      await using node = await bench.nodeUp(await bench.configure(more));
      const { code, stderr } = await node.exit;
      assert.equal(code, 1);
      assert.match(stderr, text);
      assert.deepEqual(await bench.census(), empty);
    }
  });

  test("a node without root says that it needs it", async () => {
    const { prefix, directory } = bench.host;
    const config = await bench.configure({ pid_filepath: join(directory, "tmp", "nobody.pid") });
    const asNobody = [...prefix, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    await using node = await bench.startNex(["node", "up", `--config=${config}`], { prefix: asNobody });
    const { code, stderr } = await node.exit;
    assert.equal(code, 1);
    assert.match(stderr, /the node must run as root \(it lacks CAP_NET_ADMIN and CAP_SYS_ADMIN\)/);
  });

  test("nodes and machines that are killed leave nothing once the next node has started", async () => {
    const config = await bench.configure();
    {
      await using node = await bench.nodeUp(config);
      await node.waitForLine(BOOTS, { timeoutMs: BOOT_MS });
      // Anywhere between the first link and the guest's last line.
      await delay(Math.random() * 8000);
      node.signal("SIGKILL");
      await node.exit;
    }
    await withNode(config);
    await using node = await bench.nodeUp(config);
    await node.waitForLine(BOOTS, { timeoutMs: BOOT_MS });
    await until(async () => (await bench.machines()).length === 1, { timeoutMs: BOOT_MS });
    assert.equal((await bench.census()).namespaces.length, empty.namespaces.length + 1);
    node.signal("SIGINT");
    const { stderr } = await node.exit;
    assert.match(stderr, /interrupted/i, "Ctrl-C does not wait for the first boot");
    assert.deepEqual(await bench.census(), empty);
  });

  /** A node over which everything comes that can, until it is killed in the end. */
  async function withNode(config: string): Promise<void> {
    await using node = await bench.nodeUp(config);
    await node.waitForLine(READY, { timeoutMs: BOOT_MS });
    await using follower = await startFollower(bench, ["events"]);
    const events = (): readonly WatchedEvent[] => watchedEvents(follower);
    const id = await deploy();
    assert.equal(await ask(), "hello");
    await warmed(node, 2);
    const machines = await bench.machines();
    assert.equal(machines.length, 2);
    assert.ok(machines.some(({ name }) => name === id));

    const kernel = join(bench.resources, "vmlinux");
    await copyFile(kernel, `${kernel}.good`);
    await writeFile(kernel, "no kernel any more");
    for (const { pid } of machines) process.kill(pid, "SIGKILL");
    const end = await until(() => events().find(isEndOf(id)), { timeoutMs: BOOT_MS });
    assert.equal(end.data.code, -1);
    assert.equal(end.data.reason, "virtual machine was killed by SIGKILL");
    const refused = await bench.nex(["devrun", ECHO, "--trigger_subject=killed.echo"]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stdout + refused.stderr,
      /no available agent client in pool \(Cannot start sandbox .*monitor ended with exit code 1/,
    );
    const failures = node.stderr().match(/Cannot start an agent .*retry_ms=\d+/g) ?? [];
    assert.ok(failures.length >= 3 && failures.length < 30, `${failures.length} boots failed`);

    await copyFile(`${kernel}.good`, kernel);
    // A function whose machine was lost is deployed again by its node.
    assert.equal(await until(ask, { timeoutMs: BOOT_MS, message: node.stderr() }), "hello");
    node.signal("SIGKILL");
    await node.exit;
  }

  async function deploy(): Promise<string> {
    const { code, stdout, stderr } = await bench.nex([
      "devrun",
      ECHO,
      "--trigger_subject=killed.echo",
      "--json",
    ]);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { workload_id: string }).workload_id;
  }

  async function ask(): Promise<string> {
    const { code, stdout, stderr } = await bench.nex([
      "req",
      "--raw",
      "--timeout=60s",
      "killed.echo",
      "hello",
    ]);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }
});
