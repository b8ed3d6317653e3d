import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { NexError } from "../../src/lib/errors.ts";
import type { Sandbox, SandboxDriver, SandboxOutput, SandboxSpec } from "../../src/sandbox/sandbox.ts";
import { createMarker, findMarkedProcesses } from "./marked-processes.ts";
import { until } from "./until.ts";

/** A driver with what its tests need. Agents are the fixture `sandbox-agent.ts`. */
export interface SandboxUnderTest {
  /** A driver whose processes on this host carry the marker in their command lines. */
  readonly makeDriver: (marker: string) => SandboxDriver;
  /** A driver whose starts fail. */
  readonly makeBrokenDriver: (marker: string) => SandboxDriver;
  /** Sends a command to the agent and resolves with its answer. */
  readonly tell: (sandbox: Sandbox, command: string) => Promise<unknown>;
  /** Sends a command that has no answer. */
  readonly send: (sandbox: Sandbox, command: string) => void;
  /** Whether a file of that name is in the temporary directory of a sandbox, for drivers that make one on this host. */
  readonly hasTemporaryFile?: (id: string, name: string) => boolean;
  /** Environment of the agent beside its metadata. */
  readonly addedEnvironment: Readonly<Record<string, string>>;
  /** Command line of a program that starts a sandbox that forks, writes "ready" and waits. */
  readonly starter: (marker: string) => readonly string[];
  /** Why nothing of this driver can be tested here. */
  readonly skip?: string;
  /** Why daemons get away from this driver. */
  readonly skipDaemons?: string;
}

const LIMIT_MS = 30_000;

/** The suite that every sandbox driver passes; S1 to S5 are in `src/sandbox/sandbox.ts`. */
export function describeSandboxContract(name: string, subject: SandboxUnderTest): void {
  const skip =
    subject.skip ?? (process.platform === "linux" ? false : "finds processes in /proc, which is Linux only");
  const daemons = skip === false ? (subject.skipDaemons ?? false) : skip;
  describe(`SandboxDriver "${name}"`, { timeout: 4 * LIMIT_MS, skip }, () => {
    describeStart(subject);
    describeExit(subject);
    describeRemains(subject, daemons);
  });
}

function describeStart(subject: SandboxUnderTest): void {
  test("probe says that this host can run it", async () => {
    await using driver = subject.makeDriver(createMarker());
    const probe = await driver.probe();
    assert.equal(probe.kind, "ready");
  });

  test("start gives a running agent that sees its metadata and nothing of our environment (S1, S5)", async () => {
    await using driver = subject.makeDriver(createMarker());
    process.env["NEX_TEST_SECRET"] = "secret of the node";
    using _ = { [Symbol.dispose]: () => delete process.env["NEX_TEST_SECRET"] };
    const metadata = { NEX_WORKLOADID: "abc123", NEX_SANDBOX: "false", NEX_TEXT: "ä = b\nc" };
    await using sandbox = await driver.start(spec(metadata));
    const { TMPDIR: directory, ...environment } = await toldEnvironment(subject, sandbox);
    assert.deepEqual(environment, { ...metadata, ...subject.addedEnvironment });
    assert.equal(sandbox.id, "test1");
    assert.equal(process.kill(sandbox.pid, 0), true);
    assert.equal(directory !== undefined, subject.hasTemporaryFile !== undefined);
    if (subject.hasTemporaryFile !== undefined) {
      const name = createMarker();
      await subject.tell(sandbox, `run ${encodeURIComponent(`: >"$TMPDIR/${name}"`)}`);
      assert.ok(subject.hasTemporaryFile(sandbox.id, name), "its temporary directory is there");
      await sandbox.stop();
      assert.ok(!subject.hasTemporaryFile(sandbox.id, name), "and goes with it");
    }
  });

  test("a start that fails leaves nothing (S1)", async () => {
    const marker = createMarker();
    await using driver = subject.makeBrokenDriver(marker);
    await assert.rejects(driver.start(spec()), hasCode("SANDBOX_START_FAILED"));
    assert.deepEqual(findMarkedProcesses(marker), []);
  });

  test("start refuses an id that is no name for files, and metadata that no environment can hold (S1)", async () => {
    const marker = createMarker();
    await using driver = subject.makeDriver(marker);
    for (const wrong of [{ ...spec(), id: "../x" }, { ...spec(), id: "" }, spec({ KEY: "a\0b" })]) {
      await assert.rejects(driver.start(wrong), hasCode("SANDBOX_START_FAILED"));
    }
    assert.deepEqual(findMarkedProcesses(marker), []);
  });

  test("an aborted start rejects with ABORTED and leaves nothing, whenever that happens (S1)", async () => {
    const marker = createMarker();
    await using driver = subject.makeDriver(marker);
    await assert.rejects(driver.start(spec(), { signal: AbortSignal.abort() }), hasCode("ABORTED"));
    for (const afterMs of [0, 1, 3, 6]) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), afterMs);
      // A slow machine decides what the signal interrupts; a sandbox that was quicker is not affected by it.
      const outcome = await driver
        .start(spec(), { signal: controller.signal })
        .then(stopIt, hasCode("ABORTED"));
      clearTimeout(timer);
      assert.equal(outcome, true);
      assert.deepEqual(findMarkedProcesses(marker), []);
    }
  });

  test("sandboxes of one driver run side by side", async () => {
    await using driver = subject.makeDriver(createMarker());
    const ids = ["a", "b", "c", "d"];
    const sandboxes = await Promise.all(
      ids.map((id) => driver.start({ ...spec({ NEX_WORKLOADID: id }), id })),
    );
    const answers = await Promise.all(sandboxes.map((sandbox) => toldEnvironment(subject, sandbox)));
    assert.deepEqual(
      answers.map((answer) => answer["NEX_WORKLOADID"]),
      ids,
    );
  });
}

function describeExit(subject: SandboxUnderTest): void {
  test("exit tells the agent's exit code, also when it is stopped afterwards (S2)", async () => {
    await using driver = subject.makeDriver(createMarker());
    await using sandbox = await driver.start(spec());
    subject.send(sandbox, "exit 3");
    assert.deepEqual(await sandbox.exit, { kind: "exited", code: 3 });
    assert.deepEqual(await sandbox.stop(), { kind: "exited", code: 3 });
  });

  test("exit tells the signal that ended the agent from within (S2)", async () => {
    await using driver = subject.makeDriver(createMarker());
    for (const signal of ["SIGKILL", "SIGSEGV"]) {
      await using sandbox = await driver.start(spec());
      subject.send(sandbox, `kill ${signal}`);
      assert.deepEqual(await sandbox.exit, { kind: "signaled", signal });
    }
  });

  test("exit tells that the sandbox was killed from outside, and nothing is left (S2)", async () => {
    const marker = createMarker();
    await using driver = subject.makeDriver(marker);
    await using sandbox = await driver.start(spec());
    await subject.tell(sandbox, "ignore-signals");
    process.kill(sandbox.pid, "SIGKILL");
    assert.deepEqual(await sandbox.exit, { kind: "signaled", signal: "SIGKILL" });
    assert.deepEqual(findMarkedProcesses(marker), []);
  });

  test("stop lets the agent leave by itself; all calls get the same reason (S2)", async () => {
    await using driver = subject.makeDriver(createMarker());
    await using sandbox = await driver.start(spec());
    await subject.tell(sandbox, "leave-on-sigterm");
    const reasons = await Promise.all([sandbox.stop({ graceMs: LIMIT_MS }), sandbox.stop(), sandbox.exit]);
    assert.deepEqual(
      reasons,
      Array.from({ length: 3 }, () => ({ kind: "stopped", forced: false })),
    );
  });

  test("stop kills an agent that ignores it; a later call with a shorter grace goes first (S2)", async () => {
    const marker = createMarker();
    await using driver = subject.makeDriver(marker);
    await using sandbox = await driver.start(spec());
    await subject.tell(sandbox, "ignore-signals");
    const patient = sandbox.stop({ graceMs: 10 * LIMIT_MS });
    assert.deepEqual(await sandbox.stop({ graceMs: 50 }), { kind: "stopped", forced: true });
    assert.deepEqual(await patient, { kind: "stopped", forced: true });
    assert.deepEqual(findMarkedProcesses(marker), []);
  });

  test("output arrives in lines of bounded length, before the end of the agent or after", async () => {
    await using driver = subject.makeDriver(createMarker());
    const output: SandboxOutput[] = [];
    await using sandbox = await driver.start(spec(), { onOutput: (line) => output.push(line) });
    await subject.tell(sandbox, "output");
    await sandbox.stop();
    const of = (stream: SandboxOutput["stream"]): string[] =>
      output.filter((entry) => entry.stream === stream).map(({ line }) => line);
    await until(() => of("stdout").length === 3 && of("stderr").join("").length === 40_009);
    assert.deepEqual(of("stdout"), ["first line", "second line", "no end"]);
    assert.equal(of("stderr").join(""), `complaint${"x".repeat(40_000)}`);
    assert.ok(of("stderr").every((line) => line.length <= 16_384));
  });

  test("dispose of the driver ends its sandboxes, and it starts no more", async () => {
    const marker = createMarker();
    const driver = subject.makeDriver(marker);
    const sandboxes = await Promise.all(["a", "b"].map((id) => driver.start({ ...spec(), id })));
    const late = driver.start({ ...spec(), id: "c" }).then(() => "started", hasCode("ABORTED"));
    await driver[Symbol.asyncDispose]();
    assert.equal(await late, true);
    for (const { exit } of sandboxes) assert.equal((await exit).kind, "stopped");
    assert.deepEqual(findMarkedProcesses(marker), []);
    await assert.rejects(driver.start(spec()), hasCode("ABORTED"));
  });
}

function describeRemains(subject: SandboxUnderTest, skip: string | false): void {
  test("stop leaves nothing of an agent that forks daemons and ignores signals (S3)", { skip }, async () => {
    const marker = createMarker();
    await using driver = subject.makeDriver(marker);
    await using sandbox = await driver.start(spec());
    await subject.tell(sandbox, "ignore-signals");
    await subject.tell(sandbox, `fork ${marker}`);
    assert.ok(findMarkedProcesses(marker).length >= 3);
    await sandbox.stop({ graceMs: 50 });
    assert.deepEqual(findMarkedProcesses(marker), []);
  });

  test("nothing that an agent forked outlives its exit (S3)", { skip }, async () => {
    const marker = createMarker();
    await using driver = subject.makeDriver(marker);
    await using sandbox = await driver.start(spec());
    await subject.tell(sandbox, `fork ${marker}`);
    subject.send(sandbox, "exit 0");
    assert.deepEqual(await sandbox.exit, { kind: "exited", code: 0 });
    assert.deepEqual(findMarkedProcesses(marker), []);
  });

  test("kill -9 of the starter ends everything within a second (S4)", { skip }, async () => {
    const marker = createMarker();
    const [program = "", ...argv] = subject.starter(marker);
    const starter = spawn(program, argv, { stdio: ["ignore", "pipe", "inherit"] });
    await once(starter.stdout, "data");
    assert.ok(findMarkedProcesses(marker).length >= 4);
    const exit = once(starter, "exit");
    starter.kill("SIGKILL");
    await exit;
    await until(() => findMarkedProcesses(marker).length === 0, {
      timeoutMs: 1000,
      message: "processes are left",
    });
  });
}

function spec(metadata: Readonly<Record<string, string>> = {}): SandboxSpec {
  return { id: "test1", metadata, resources: { vcpuCount: 1, memoryMiB: 64 } };
}

async function toldEnvironment(subject: SandboxUnderTest, sandbox: Sandbox): Promise<Record<string, string>> {
  return (await subject.tell(sandbox, "environment")) as Record<string, string>;
}

async function stopIt(sandbox: Sandbox): Promise<true> {
  await sandbox.stop({ graceMs: 0 });
  return true;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof NexError && error.code === code;
}
