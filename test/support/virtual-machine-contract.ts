import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { NexError } from "../../src/lib/errors.ts";
import type { Sandbox, SandboxDriver, SandboxOutput, SandboxSpec } from "../../src/sandbox/sandbox.ts";
import { createMarker, findMarkedProcesses } from "./marked-processes.ts";
import { createTestNetwork, removeNamespace } from "./test-network.ts";
import type { TestNetwork } from "./test-network.ts";
import { until } from "./until.ts";

/** What a guest does once it runs: says "guest is up" on its console and then stays, leaves, or writes without end. */
export type GuestBehaviour = "stays" | "leaves" | "floods";

export interface MachineDriverParts {
  readonly network: TestNetwork;
  readonly temporaryDirectory: string;
  readonly guest: GuestBehaviour;
}

/** A virtual machine driver with what its tests need. */
export interface MachineDriverUnderTest {
  readonly makeDriver: (parts: MachineDriverParts) => SandboxDriver;
  /** A driver whose monitor refuses to start a machine. */
  readonly makeBrokenDriver: (parts: MachineDriverParts) => SandboxDriver;
  /**
   * Command line of a program that starts a sandbox with this id in a test network, writes "ready" and waits. Its
   * namespace is `{namespacePrefix}{id}`.
   */
  readonly starter: (parts: {
    readonly temporaryDirectory: string;
    readonly namespacePrefix: string;
    readonly id: string;
  }) => readonly string[];
  /** Metadata of a guest that behaves like this. */
  readonly metadata: (guest: GuestBehaviour) => SandboxSpec["metadata"];
  /** How long a guest may take to boot. */
  readonly bootMs: number;
  /** When a start is aborted, in milliseconds after it began. */
  readonly abortAfterMs: readonly number[];
  readonly skip: string | false;
}

/** A place with nothing in it but what a driver makes there. */
export interface TestBench extends AsyncDisposable {
  /** For sandboxes; no other process has it in its command line. */
  readonly id: string;
  readonly network: TestNetwork;
  readonly temporaryDirectory: string;
  /** Asserts that nothing is left of a driver that was disposed. */
  readonly assertNothingLeft: () => Promise<void>;
}

/** Makes a place for one test. */
export async function createTestBench(): Promise<TestBench> {
  const id = createMarker();
  const temporaryDirectory = await mkdtemp(join(tmpdir(), "nex-machine-"));
  const network = createTestNetwork("nextest");
  return {
    id,
    network,
    temporaryDirectory,
    assertNothingLeft: async () => {
      assert.deepEqual(findMarkedProcesses(id), []);
      assert.deepEqual([...network.attached], []);
      const directories = await readdir(temporaryDirectory, { recursive: true });
      assert.deepEqual(
        directories.filter((name) => name.includes("/")),
        [],
        "files of machines",
      );
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...network.attached].map(removeNamespace));
      await rm(temporaryDirectory, { recursive: true, force: true });
    },
  };
}

/** The suite that every driver of virtual machines passes; S1 to S5 are in `src/sandbox/sandbox.ts`. */
export function describeMachineDriverContract(name: string, subject: MachineDriverUnderTest): void {
  describe(`SandboxDriver "${name}"`, { skip: subject.skip, timeout: 230_000 }, () => {
    describeStart(subject);
    describeEnd(subject);
  });
}

function describeStart(subject: MachineDriverUnderTest): void {
  test("start gives a running machine, stop leaves nothing of it (S1, S3)", async () => {
    await using bench = await createTestBench();
    await using driver = subject.makeDriver({ ...bench, guest: "stays" });
    assert.equal(driver.isolation, "virtual-machine");
    const lines: string[] = [];
    await using sandbox = await driver.start(spec(bench, subject, "stays"), {
      onOutput: ({ line }) => lines.push(line),
    });
    assert.deepEqual(sandbox.transport, { kind: "network" });
    assert.equal(sandbox.id, bench.id);
    assert.equal(process.kill(sandbox.pid, 0), true);
    await untilUp(subject, lines);
    assert.ok(findMarkedProcesses(bench.id).length >= 1);
    const reasons = await Promise.all([sandbox.stop(), sandbox.stop({ graceMs: 20_000 }), sandbox.exit]);
    assert.deepEqual(
      reasons,
      Array.from({ length: 3 }, () => ({ kind: "stopped", forced: false })),
    );
    await bench.assertNothingLeft();
  });

  test("a start that fails, or that has an id which is no name, leaves nothing (S1)", async () => {
    await using bench = await createTestBench();
    await using broken = subject.makeBrokenDriver({ ...bench, guest: "stays" });
    await assert.rejects(broken.start(spec(bench, subject, "stays")), hasCode("SANDBOX_START_FAILED"));
    await using driver = subject.makeDriver({ ...bench, guest: "stays" });
    for (const id of ["../x", "", "a b"]) {
      await assert.rejects(
        driver.start({ ...spec(bench, subject, "stays"), id }),
        hasCode("SANDBOX_START_FAILED"),
      );
    }
    await bench.assertNothingLeft();
  });

  test("an aborted start rejects with ABORTED and leaves nothing, whenever that happens (S1)", async () => {
    await using bench = await createTestBench();
    await using driver = subject.makeDriver({ ...bench, guest: "stays" });
    await assert.rejects(
      driver.start(spec(bench, subject, "stays"), { signal: AbortSignal.abort() }),
      hasCode("ABORTED"),
    );
    for (const afterMs of subject.abortAfterMs) {
      const signal = AbortSignal.timeout(afterMs);
      // A slow host decides what the signal interrupts; a machine that was quicker is not affected by it.
      const outcome = await driver
        .start(spec(bench, subject, "stays"), { signal })
        .then(stopAtOnce, hasCode("ABORTED"));
      assert.equal(outcome, true);
      await bench.assertNothingLeft();
    }
  });

  test("dispose of the driver ends its machines, and it starts no more", async () => {
    await using bench = await createTestBench();
    const driver = subject.makeDriver({ ...bench, guest: "stays" });
    const sandboxes = await Promise.all(
      ["a", "b"].map((end) => driver.start({ ...spec(bench, subject, "stays"), id: `${bench.id}${end}` })),
    );
    const late = driver
      .start({ ...spec(bench, subject, "stays"), id: `${bench.id}c` })
      .then(() => "started", hasCode("ABORTED"));
    await driver[Symbol.asyncDispose]();
    assert.equal(await late, true);
    for (const { exit } of sandboxes) assert.equal((await exit).kind, "stopped");
    await bench.assertNothingLeft();
    assert.deepEqual(await readdir(bench.temporaryDirectory), []);
    await assert.rejects(driver.start(spec(bench, subject, "stays")), hasCode("ABORTED"));
  });
}

function describeEnd(subject: MachineDriverUnderTest): void {
  test("exit tells that the guest left by itself, and nothing is left then (S2)", async () => {
    await using bench = await createTestBench();
    await using driver = subject.makeDriver({ ...bench, guest: "leaves" });
    await using sandbox = await driver.start(spec(bench, subject, "leaves"));
    assert.deepEqual(await sandbox.exit, { kind: "exited", code: 0 });
    await bench.assertNothingLeft();
    assert.deepEqual(await sandbox.stop(), { kind: "exited", code: 0 });
  });

  test("exit tells that the monitor was killed from outside, and nothing is left then (S2)", async () => {
    await using bench = await createTestBench();
    await using driver = subject.makeDriver({ ...bench, guest: "stays" });
    await using sandbox = await driver.start(spec(bench, subject, "stays"));
    process.kill(sandbox.pid, "SIGKILL");
    assert.deepEqual(await sandbox.exit, { kind: "signaled", signal: "SIGKILL" });
    await bench.assertNothingLeft();
  });

  test("stop kills a monitor that does not obey (S2, S3)", async () => {
    await using bench = await createTestBench();
    await using driver = subject.makeDriver({ ...bench, guest: "stays" });
    await using sandbox = await driver.start(spec(bench, subject, "stays"));
    process.kill(sandbox.pid, "SIGSTOP");
    assert.deepEqual(await sandbox.stop({ graceMs: 50 }), { kind: "stopped", forced: true });
    await bench.assertNothingLeft();
  });

  test("output of a guest is limited in lines and in length", async () => {
    await using bench = await createTestBench();
    await using driver = subject.makeDriver({ ...bench, guest: "floods" });
    const output: SandboxOutput[] = [];
    await using sandbox = await driver.start(spec(bench, subject, "floods"), {
      onOutput: (line) => output.push(line),
    });
    const flood = (): SandboxOutput[] => output.filter(({ line }) => line.startsWith("flood"));
    await until(() => flood().length > 100, { timeoutMs: subject.bootMs });
    await sandbox.stop();
    assert.ok(flood().every(({ line, stream }) => stream === "stdout" && line.length <= 1025));
    assert.ok(output.length < 2000, `${output.length} lines`);
  });

  test("kill -9 of the starter ends the machine within a second; the next driver removes its files (S4)", async () => {
    await using bench = await createTestBench();
    const { temporaryDirectory, id } = bench;
    const namespacePrefix = "nextest";
    const [program = "", ...argv] = subject.starter({ temporaryDirectory, namespacePrefix, id });
    const starter = spawn(program, argv, { stdio: ["ignore", "pipe", "inherit"] });
    await once(starter.stdout, "data");
    assert.ok(findMarkedProcesses(bench.id).length >= 2);
    const exit = once(starter, "exit");
    starter.kill("SIGKILL");
    await exit;
    await until(() => findMarkedProcesses(bench.id).length === 0, {
      timeoutMs: 1000,
      message: "processes are left",
    });
    spawnSync("ip", ["netns", "del", `${namespacePrefix}${id}`]);
    assert.equal((await readdir(temporaryDirectory)).length, 1);
    await using driver = subject.makeDriver({ ...bench, guest: "stays" });
    await using sandbox = await driver.start(spec(bench, subject, "stays"));
    assert.equal((await readdir(temporaryDirectory)).length, 1, "that of the new driver");
    await sandbox.stop();
    await bench.assertNothingLeft();
  });
}

async function untilUp(subject: MachineDriverUnderTest, lines: readonly string[]): Promise<void> {
  await until(() => lines.some((line) => line.includes("guest is up")), {
    timeoutMs: subject.bootMs,
    intervalMs: 50,
    message: "the guest did not boot",
  }).catch((cause: unknown) => {
    throw new Error(`The guest did not boot: ${lines.slice(-5).join(" | ")}`, { cause });
  });
}

function spec(
  { id }: Pick<TestBench, "id">,
  subject: MachineDriverUnderTest,
  guest: GuestBehaviour,
): SandboxSpec {
  return {
    id,
    metadata: subject.metadata(guest),
    resources: { vcpuCount: 1, memoryMiB: 128 },
  };
}

async function stopAtOnce(sandbox: Sandbox): Promise<true> {
  await sandbox.stop({ graceMs: 0 });
  return true;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof NexError && error.code === code;
}
