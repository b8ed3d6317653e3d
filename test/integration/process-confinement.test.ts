// Canaries: what a workload without sandbox must not reach, tried from inside an agent's process tree. Each is skipped,
// with what this host has instead, where a layer is missing.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/lib/logger.ts";
import { findHierarchies } from "../../src/sandbox/process/control-group-hierarchies.ts";
import { createProcessDriver } from "../../src/sandbox/process/process-driver.ts";
import type { ProcessDriverOptions } from "../../src/sandbox/process/process-driver.ts";
import type { Sandbox, SandboxDriver } from "../../src/sandbox/sandbox.ts";
import { FIXTURE_AGENT, tellAgent } from "../support/fixture-agent.ts";
import { createMarker, findMarkedProcesses } from "../support/marked-processes.ts";
import { until } from "../support/until.ts";

const STARTER = fileURLToPath(new URL("./fixtures/sandbox-starter.ts", import.meta.url));
const LIMITS = { memoryMiB: 256, processes: 64 };
const SECRET = "the secret of the canary";

// Neither in a temporary directory nor in a home: agents have others in their place.
const clone = join(import.meta.dirname, "..", "..");
const cache =
  process.getuid?.() === 0 && /^\/(tmp|var\/tmp|root|home|run)\//.test(clone)
    ? "/var/cache"
    : join(clone, ".cache");
mkdirSync(cache, { recursive: true });
const place = await mkdtemp(join(cache, "canary-"));
after(() => rmSync(place, { recursive: true, force: true }));
chmodSync(place, 0o755);
const privateFile = join(place, "private");
writeFileSync(privateFile, SECRET, { mode: 0o600 });
const openFile = join(place, "open");
writeFileSync(openFile, SECRET, { mode: 0o644 });
const openDirectory = join(place, "directory");
mkdirSync(openDirectory);
writeFileSync(join(openDirectory, "open"), SECRET, { mode: 0o644 });

function makeDriver(change: Partial<ProcessDriverOptions> = {}): SandboxDriver {
  return createProcessDriver({
    agentProgram: process.execPath,
    agentArgv: [FIXTURE_AGENT],
    logger: silentLogger,
    limits: LIMITS,
    hiddenFiles: [openFile, openDirectory, "/nonexistent"],
    ...change,
  });
}

async function start(driver: SandboxDriver, id = "canary"): Promise<Sandbox> {
  return driver.start({ id, metadata: {}, resources: { vcpuCount: 1, memoryMiB: 64 } });
}

async function run(sandbox: Sandbox, command: string): Promise<{ code: number | null; output: string }> {
  return (await tellAgent(sandbox, `run ${encodeURIComponent(command)}`)) as {
    code: number | null;
    output: string;
  };
}

/** Runs a command in a new sandbox. */
async function runConfined(command: string): Promise<{ code: number | null; output: string }> {
  await using driver = makeDriver();
  await using sandbox = await start(driver);
  return await run(sandbox, command);
}

const detail = await (async () => {
  await using driver = makeDriver();
  const probe = await driver.probe();
  return probe.kind === "ready" ? probe.detail : probe.reason;
})();
/** Options of a test that needs a layer. */
function needs(layer: string): { readonly skip: string | false } {
  return { skip: detail.includes(layer) ? false : `this host has no better than: ${detail}` };
}

describe("A confined agent", { timeout: 120_000 }, () => {
  test("reads no file that only the node's user may read", needs("user of its own"), async () => {
    const { code, output } = await runConfined(`cat ${privateFile}`);
    assert.notEqual(code, 0);
    assert.match(output, /Permission denied|No such file/);
    assert.doesNotMatch(output, new RegExp(SECRET));
  });

  test("sees nothing in home directories, in /run and in what is hidden", needs("read-only"), async () => {
    const { output } = await runConfined(
      `cat ${openFile}; ls -A /root /home ${openDirectory} | grep -v :; ls /run`,
    );
    // Only what name resolution needs may be in /run.
    assert.match(output, /Permission denied|No such file/);
    const listed = output.replace(/^cat: .*$/m, "");
    assert.equal(listed.replaceAll(/^(systemd|resolvconf|NetworkManager)$/gm, "").trim(), "");
  });

  test("writes to its temporary directory and nowhere else", needs("read-only"), async () => {
    const name = createMarker();
    const places = [
      "/",
      "/etc",
      "/usr",
      "/var",
      "/run",
      "/root",
      "/home",
      place,
      "/sys/fs/cgroup",
      "/proc/sys/kernel",
    ];
    const attempts = places.map((path) => `(: >${path}/${name}) && echo "wrote to ${path}"`).join("\n");
    const { output } = await runConfined(
      `exec 2>&1\n${attempts}\n: >/tmp/${name} && : >/var/tmp/x${name} && ls /tmp`,
    );
    assert.doesNotMatch(output, /wrote to/);
    assert.deepEqual(output.split("\n").slice(-3), [name, `x${name}`, ""]);
    assert.ok(!existsSync(`/tmp/${name}`) && !existsSync(`/var/tmp/x${name}`), "they are not the host's");
  });

  test("finds neither the node's processes nor its environment", needs("PID namespace"), async () => {
    const marker = createMarker();
    process.env["NEX_TEST_CANARY"] = marker;
    using _ = { [Symbol.dispose]: () => delete process.env["NEX_TEST_CANARY"] };
    // A child with the variable in its initial environment, as the node has its own.
    const witness = spawn("/bin/sleep", ["60"]);
    try {
      await once(witness, "spawn");
      assert.match(readFileSync(`/proc/${witness.pid}/environ`, "utf8"), new RegExp(marker));
      const { output } = await runConfined(
        "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; kill -0 $PPID && echo alive",
      );
      assert.match(output, /alive/);
      assert.doesNotMatch(output, new RegExp(marker));
    } finally {
      witness.kill();
    }
  });

  test("has no capabilities and gets none from a setuid program", needs("user of its own"), async () => {
    const program = join(place, "setuid-id");
    copyFileSync("/usr/bin/id", program);
    chmodSync(program, 0o4755);
    const { output } = await runConfined(
      `${program} -u; ${program} -G; grep -E '^(Cap|NoNewPrivs)' /proc/self/status`,
    );
    const [user = "", groups, ...status] = output.trim().split("\n");
    assert.ok(Number(user) >= 61_184, output);
    assert.equal(groups, user);
    assert.deepEqual(
      status.map((line) => line.split(/:\s+/)),
      [
        ...["Inh", "Prm", "Eff", "Bnd", "Amb"].map((name) => [`Cap${name}`, "0".repeat(16)]),
        ["NoNewPrivs", "1"],
      ],
    );
  });

  test(
    "runs from a directory that its user cannot enter, and sees no more of it",
    needs("read-only"),
    async () => {
      const closed = join(place, "closed");
      mkdirSync(closed, { mode: 0o700 });
      const agent = join(closed, "agent.ts");
      copyFileSync(FIXTURE_AGENT, agent);
      writeFileSync(join(closed, "secret"), SECRET, { mode: 0o644 });
      await using driver = makeDriver({ agentArgv: [agent] });
      const probe = await driver.probe();
      assert.equal(probe.kind === "ready" && probe.detail, detail);
      await using sandbox = await start(driver);
      assert.equal((await run(sandbox, `ls ${closed}`)).output, "agent.ts\n");
    },
  );

  test("keeps the node's user where its own could not read its files", needs("user of its own"), async () => {
    const closed = join(place, "closed-again");
    mkdirSync(closed, { mode: 0o700 });
    const agent = join(closed, "agent.ts");
    copyFileSync(FIXTURE_AGENT, agent);
    await using driver = makeDriver({ agentArgv: [agent], confinement: "process-group" });
    const probe = await driver.probe();
    assert.ok(probe.kind === "ready" && !probe.detail.includes("user of its own"));
    assert.match(probe.missing?.join("\n") ?? "", /^user of its own: another user cannot read/m);
    await using sandbox = await start(driver);
    assert.equal((await run(sandbox, "id -u")).output, `${process.getuid?.()}\n`);
  });

  test("is another user than its neighbour", needs("user of its own"), async () => {
    await using driver = makeDriver();
    const sandboxes = await Promise.all(["a", "b"].map((id) => start(driver, id)));
    const users = await Promise.all(sandboxes.map(async (sandbox) => (await run(sandbox, "id -u")).output));
    assert.notEqual(users[0], users[1]);
  });

  test("forks up to its limit; its neighbour still forks", needs("processes"), async () => {
    await using driver = makeDriver();
    const [bomb, neighbour] = await Promise.all([start(driver, "bomb"), start(driver, "neighbour")]);
    const { output } = await run(
      bomb,
      "i=0; while [ $i -lt 200 ]; do sleep 60 >/dev/null 2>&1 & i=$((i+1)); echo $i; done",
    );
    const started = output.split("\n").filter((line) => /^\d+$/.test(line)).length;
    assert.ok(started > 5 && started < LIMITS.processes, `${started} were started: ${output}`);
    assert.deepEqual(await run(neighbour, "sleep 0 & wait; echo still here"), {
      code: 0,
      output: "still here\n",
    });
  });

  test("takes memory up to its limit; then the taker ends, and nobody else", needs("MiB"), async () => {
    await using driver = makeDriver();
    const [bomb, neighbour] = await Promise.all([start(driver, "bomb"), start(driver, "neighbour")]);
    const script =
      "const all = []; for (let i = 0; i < 64; i += 1) all.push(Buffer.alloc(16e6, 1)); console.log(all.length)";
    const end = await Promise.race([
      run(bomb, `exec ${process.execPath} -e '${script}'`),
      bomb.exit.then(({ kind }) => ({ kind })),
    ]);
    assert.ok("kind" in end ? end.kind === "signaled" : end.code === null, JSON.stringify(end));
    assert.equal((await run(neighbour, "echo still here")).output, "still here\n");
  });
});

describe("Control groups", { timeout: 60_000 }, () => {
  test("go with their sandbox, and with the node that made them", needs("MiB"), async () => {
    const driver = makeDriver();
    const before = ownGroups(process.pid);
    assert.deepEqual(before, []);
    const sandbox = await start(driver, "grouped");
    assert.ok(ownGroups(process.pid).some((directory) => existsSync(join(directory, "grouped"))));
    await sandbox.stop();
    assert.ok(!ownGroups(process.pid).some((directory) => existsSync(join(directory, "grouped"))));
    await driver[Symbol.asyncDispose]();
    assert.deepEqual(ownGroups(process.pid), []);
  });

  test(
    "of a node that was killed are removed by the next one, with what is left in them",
    needs("MiB"),
    async () => {
      const marker = createMarker();
      // Without PID namespaces, daemons outlive their node.
      const options = { confinement: "process-group", limits: LIMITS };
      const starter = spawn(process.execPath, [STARTER, marker, JSON.stringify(options)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(starter.stdout, "data");
      const pid = starter.pid ?? 0;
      assert.notDeepEqual(ownGroups(pid), []);
      const exit = once(starter, "exit");
      starter.kill("SIGKILL");
      await exit;
      assert.notDeepEqual(findMarkedProcesses(marker), []);
      await using driver = makeDriver();
      await driver.probe();
      await until(() => findMarkedProcesses(marker).length === 0);
      assert.deepEqual(ownGroups(pid), []);
    },
  );
});

/** Directories of control groups that the process has made. */
function ownGroups(pid: number): string[] {
  const [mounts = "", membership = ""] = ["mountinfo", "cgroup"].map((name) =>
    readFileSync(`/proc/self/${name}`, "utf8"),
  );
  return findHierarchies(mounts, membership).flatMap(({ directory }) =>
    readdirSync(directory)
      .filter((name) => new RegExp(`^nex-\\d+-${pid}-`).test(name))
      .map((name) => join(directory, name)),
  );
}
