import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NexError } from "../../src/lib/errors.ts";
import { startProcess } from "../../src/lib/managed-process.ts";
import type { ManagedProcess, ProcessSpec } from "../../src/lib/managed-process.ts";
import { createMarker, findMarkedProcesses } from "../support/marked-processes.ts";
import { until } from "../support/until.ts";

const LONG_MS = 60_000;
const notLinux = process.platform === "linux" ? false : "needs /proc and setpriv, which are Linux only";

/** A shell that runs `script`; extra arguments only mark it. */
function shell(script: string, spec: Partial<ProcessSpec> = {}, marker = "sh"): Promise<ManagedProcess> {
  return startProcess({ program: "/bin/sh", argv: ["-c", script, marker], environment: {}, ...spec });
}

/** Resolves once the process has written a line. */
async function ready(running: ManagedProcess): Promise<void> {
  assert.ok(running.child.stdout !== null);
  await once(running.child.stdout, "data");
}

test("startProcess rejects what is not an executable file, and leaves nothing (M1)", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nex-process-"));
  const plainFile = join(directory, "plain");
  await writeFile(plainFile, "no program", { mode: 0o644 });
  try {
    for (const program of ["/nonexistent/program", plainFile, directory, "no-such-program", "", "a\0b"]) {
      await assert.rejects(
        startProcess({ program, environment: { PATH: "/usr/bin:/bin" } }),
        (error) => error instanceof NexError && error.code === "PROCESS_START_FAILED",
        program,
      );
    }
    const badDirectory = startProcess({
      program: "/bin/sh",
      environment: {},
      workingDirectory: "/nonexistent",
    });
    await assert.rejects(badDirectory, { code: "PROCESS_START_FAILED" });
    const badArgument = startProcess({ program: "/bin/sh", argv: ["a\0b"], environment: {} });
    await assert.rejects(badArgument, { code: "PROCESS_START_FAILED" });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("startProcess finds a name in the PATH of the given environment, and hands over no other variable", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nex-process-"));
  await symlink("/usr/bin/env", join(directory, "own-tool"));
  try {
    const environment = { PATH: directory, ONLY: "this" };
    await using running = await startProcess({ program: "own-tool", environment });
    let output = "";
    running.child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await once(running.child, "close");
    assert.deepEqual(output.trim().split("\n").sort(), ["ONLY=this", `PATH=${directory}`]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("exit tells the code or the signal, and stop afterwards changes nothing (M4)", async () => {
  await using exiting = await shell("exit 7");
  assert.deepEqual(await exiting.exit, { kind: "exited", code: 7 });
  assert.deepEqual(await exiting.stop(), { kind: "exited", code: 7 });
  await using killed = await shell("kill -ABRT $$");
  assert.deepEqual(await killed.exit, { kind: "signaled", signal: "SIGABRT" });
  assert.equal(killed.signal("SIGTERM"), false);
});

test("stop sends the stop signal and lets the process leave within its grace (M2)", async () => {
  await using running = await shell("trap 'exit 0' INT; echo up; while :; do sleep 0.05; done", {
    stopSignal: "SIGINT",
  });
  await ready(running);
  const reasons = await Promise.all([running.stop({ graceMs: LONG_MS }), running.stop(), running.exit]);
  assert.deepEqual(
    reasons,
    Array.from({ length: 3 }, () => ({ kind: "stopped", forced: false })),
  );
});

test("stop kills a process that ignores it, sooner when called again with a shorter grace (M2)", async () => {
  await using running = await shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
  await ready(running);
  const patient = running.stop({ graceMs: LONG_MS });
  assert.deepEqual(await running.stop({ graceMs: 30 }), { kind: "stopped", forced: true });
  assert.deepEqual(await patient, { kind: "stopped", forced: true });
});

test("stop without grace kills a stopped process at once (M2)", async () => {
  await using running = await shell("echo up; kill -STOP $$");
  await ready(running);
  assert.deepEqual(await running.stop({ graceMs: 0 }), { kind: "stopped", forced: true });
});

test("stop ends the whole group, also members that ignore signals (M2)", { skip: notLinux }, async () => {
  const marker = createMarker();
  const child = `sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done' ${marker}`;
  await using running = await shell(`${child} & trap 'exit 0' TERM; wait`);
  await ready(running);
  assert.equal(findMarkedProcesses(marker).length > 0, true);
  assert.deepEqual(await running.stop({ graceMs: LONG_MS }), { kind: "stopped", forced: false });
  assert.deepEqual(findMarkedProcesses(marker), []);
});

test("what is left of the group ends when the process exits by itself (M2)", { skip: notLinux }, async () => {
  const marker = createMarker();
  await using running = await shell(
    `sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done' ${marker} & read x; exit 3`,
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  await ready(running);
  running.child.stdin?.end("\n");
  assert.deepEqual(await running.exit, { kind: "exited", code: 3 });
  await running.stop();
  assert.deepEqual(findMarkedProcesses(marker), []);
});

test("a process dies with the one that started it, also after kill -9 (M3)", { skip: notLinux }, async () => {
  const marker = createMarker();
  const fixture = fileURLToPath(new URL("./fixtures/process-starter.ts", import.meta.url));
  const starter = spawn(process.execPath, [fixture, marker], { stdio: ["ignore", "pipe", "inherit"] });
  await once(starter.stdout, "data");
  assert.ok(findMarkedProcesses(marker).length >= 2);
  const exit = once(starter, "exit");
  starter.kill("SIGKILL");
  await exit;
  await until(() => findMarkedProcesses(marker).length === 0, {
    timeoutMs: 1000,
    message: "the process is left",
  });
});
