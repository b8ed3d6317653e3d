import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { silentLogger } from "../../src/lib/logger.ts";
import { createProcessDriver } from "../../src/sandbox/process/process-driver.ts";
import type { ProcessDriverOptions } from "../../src/sandbox/process/process-driver.ts";
import { FIXTURE_AGENT, sendToAgent, tellAgent } from "../support/fixture-agent.ts";
import { createMarker, findMarkedProcesses } from "../support/marked-processes.ts";
import { describeSandboxContract } from "../support/sandbox-contract.ts";
import type { SandboxUnderTest } from "../support/sandbox-contract.ts";

const STARTER = fileURLToPath(new URL("./fixtures/sandbox-starter.ts", import.meta.url));
const NOBODY = 65_534;

type Confining = Pick<ProcessDriverOptions, "confinement" | "isolation" | "limits">;

function underTest(confining: Confining): SandboxUnderTest {
  const common = { logger: silentLogger, ...confining };
  return {
    makeDriver: (marker) =>
      createProcessDriver({ ...common, agentProgram: process.execPath, agentArgv: [FIXTURE_AGENT, marker] }),
    makeBrokenDriver: (marker) =>
      createProcessDriver({ ...common, agentProgram: "/nonexistent/agent", agentArgv: [marker] }),
    tell: tellAgent,
    send: sendToAgent,
    hasTemporaryFile: (id, name) =>
      readdirSync(tmpdir())
        .filter((entry) => entry.startsWith("nex-agents-"))
        .some((entry) => existsSync(join(tmpdir(), entry, id, name))),
    addedEnvironment: { NEX_CHANNEL_FD: "3", NEX_CALLS_FD: "5" },
    starter: (marker) => [process.execPath, STARTER, marker, JSON.stringify(confining)],
  };
}

const SPEC = { id: "test1", metadata: {}, resources: { vcpuCount: 1, memoryMiB: 64 } };
const notLinux = process.platform === "linux" ? false : "finds processes in /proc, which is Linux only";
const LIMITS = { memoryMiB: 1024, processes: 256 };

/** Why this host does not confine agents so that `wanted` is in what their driver says. */
async function lacks(confining: Confining, wanted: RegExp): Promise<{ readonly skip?: string }> {
  await using driver = underTest(confining).makeDriver(createMarker());
  const probe = await driver.probe();
  const detail = probe.kind === "ready" ? probe.detail : probe.reason;
  return wanted.test(detail) ? {} : { skip: `this host has no better than: ${detail}` };
}

const everything: Confining = { limits: LIMITS };
describeSandboxContract("process, every layer", {
  ...underTest(everything),
  ...(await lacks(everything, /read-only file system/)),
});

const namespaces: Confining = { isolation: "none" };
describeSandboxContract("process, PID namespaces only", {
  ...underTest(namespaces),
  ...(await lacks(namespaces, /PID namespace/)),
});

describeSandboxContract("process, process groups", {
  ...underTest({ confinement: "process-group", limits: LIMITS }),
  skipDaemons: "what leaves its session and loses its parents gets away from a process group",
});

test(
  "ProcessDriver without namespaces ends what has left the group but not its parent",
  { skip: notLinux },
  async () => {
    const marker = createMarker();
    await using driver = underTest({ confinement: "process-group" }).makeDriver(marker);
    await using sandbox = await driver.start(SPEC);
    await tellAgent(sandbox, "ignore-signals");
    await tellAgent(sandbox, `fork-session ${marker}`);
    assert.ok(findMarkedProcesses(marker).length >= 2);
    await sandbox.stop({ graceMs: 50 });
    assert.deepEqual(findMarkedProcesses(marker), []);
  },
);

test("ProcessDriver says which confinement it uses, and why it is unavailable", async () => {
  await using driver = underTest({ confinement: "process-group" }).makeDriver(createMarker());
  const probe = await driver.probe();
  assert.match(probe.kind === "ready" ? probe.detail : probe.reason, /process group/);
  await using broken = underTest({ confinement: "process-group" }).makeBrokenDriver(createMarker());
  assert.deepEqual(await broken.probe(), {
    kind: "unavailable",
    reason: 'The agent program "/nonexistent/agent" is no executable file',
  });
});

test("ProcessDriver passes its contract as an ordinary user", { skip: cannotBecomeNobody() }, async () => {
  const environment = { ...process.env };
  delete environment["NODE_TEST_CONTEXT"];
  const file = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, ["--test", "--test-reporter=tap", file], {
    uid: NOBODY,
    gid: NOBODY,
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let report = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (report += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 0, report);
});

/** Why the contract cannot run as an ordinary user. */
function cannotBecomeNobody(): string | false {
  if (process.getuid?.() !== 0) return "only root can become another user";
  const trial = spawnSync(process.execPath, ["--check", FIXTURE_AGENT], { uid: NOBODY, gid: NOBODY });
  return trial.status === 0 ? false : "an ordinary user cannot read the files of this checkout";
}
