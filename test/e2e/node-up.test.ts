// `nex node up` as a process of its own: what its sudden end leaves, and what the sudden end of an agent does.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { collectEvents } from "../support/collect-events.ts";
import { runNex, startNex } from "../support/run-nex.ts";
import type { RunningNex } from "../support/run-nex.ts";
import { until } from "../support/until.ts";

const linuxOnly = process.platform === "linux" ? {} : { skip: "looks at processes through /proc" };
const examples = join(import.meta.dirname, "..", "..", "examples");

interface Up extends AsyncDisposable {
  readonly nex: RunningNex;
  readonly url: string;
  readonly directory: string;
  /** Arguments that start another node with the same configuration. */
  readonly argv: readonly string[];
}

async function nodeUp(): Promise<Up> {
  const directory = await mkdtemp(join(tmpdir(), "nex-e2e-up-"));
  const config = join(directory, "config.json");
  await writeFile(config, JSON.stringify({ no_sandbox: true, pid_filepath: join(directory, "nex.pid") }));
  const argv = ["node", "up", `--config=${config}`, "--embedded-nats", "--nats-port=-1"];
  const nex = await startNex(argv, { env: { TMPDIR: directory } });
  const [, url = ""] = await nex.waitForLine(/Established node NATS connection.*(?:servers=)(\S+)/);
  await nex.waitForLine(/NATS execution engine awaiting commands/);
  return {
    nex,
    url: url.startsWith("nats://") ? url : `nats://${url}`,
    directory,
    argv,
    [Symbol.asyncDispose]: async () => {
      await nex[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

test(
  "kill -9 of the node leaves no agent, workload or nats-server a second later, and the next node up works at once",
  linuxOnly,
  async () => {
    await using up = await nodeUp();
    const deployed = await runNex([
      "-s",
      up.url,
      "devrun",
      join(examples, "js/echofunction/echo.js"),
      "--trigger_subject=e2e.echo",
    ]);
    assert.equal(deployed.code, 0, deployed.stderr);
    const family = descendants(up.nex.pid);
    assert.ok(
      family.some(({ command }) => command.includes("agent.js")),
      "an agent runs",
    );
    assert.ok(
      family.some(({ command }) => command.includes("nats-server")),
      "the server runs",
    );
    up.nex.signal("SIGKILL");
    await until(() => family.every(({ pid, command }) => commandLine(pid) !== command), {
      timeoutMs: 1000,
      message: `still running: ${family.map(({ pid }) => commandLine(pid)).join("; ")}`,
    });
    await using again = await startNex(up.argv, { env: { TMPDIR: up.directory } });
    await again.waitForLine(/NATS execution engine awaiting commands/);
    again.signal("SIGTERM");
    assert.equal((await again.exit).code, 0);
  },
);

test(
  "kill -9 of an agent is seen at once: its workload is reported as ended, the pool refilled, the function deployed again",
  linuxOnly,
  async () => {
    await using up = await nodeUp();
    const connection = await connect({ servers: up.url });
    try {
      const events = await collectEvents(connection);
      const first = await runNex([
        "-s",
        up.url,
        "devrun",
        join(examples, "js/echofunction/echo.js"),
        "--trigger_subject=e2e.killed",
      ]);
      const [, id = ""] = /with ID: (\S+)/.exec(first.stdout) ?? [];
      const agent = descendants(up.nex.pid).find(
        ({ pid }) =>
          environmentOf(pid).includes(`NEX_WORKLOADID=${id}`) &&
          commandLine(pid).startsWith(process.execPath),
      );
      assert.ok(agent !== undefined, "the workload's agent is there");
      process.kill(agent.pid, "SIGKILL");
      const ended = await until(() =>
        events.find(({ type, source }) => type === "workload_undeployed" && source.endsWith(id)),
      );
      assert.equal(ended?.data["code"], -1);
      const again = await until(async () => (await connection.request("e2e.killed", "still there")).string());
      assert.equal(again, "still there");
    } finally {
      await connection.close();
    }
  },
);

test("a node whose log nobody reads any more goes on, and two signals of one Ctrl-C end it in order", async () => {
  await using up = await nodeUp();
  await up.nex.closeOutput();
  const file = join(examples, "js/echofunction/echo.js");
  const deployed = await runNex(["-s", up.url, "devrun", file, "--trigger_subject=e2e.deaf"]);
  assert.equal(deployed.code, 0, deployed.stderr);
  up.nex.signal("SIGINT");
  up.nex.signal("SIGINT");
  assert.equal((await up.nex.exit).code, 0);
});

test("a second node with the same pid file is refused while the first one runs", async () => {
  await using up = await nodeUp();
  const second = await runNex(up.argv, { env: { TMPDIR: up.directory } });
  assert.equal(second.code, 1);
  assert.match(second.stderr, /node process already running; pid: \d+/);
});

test("the guide's simple.json starts a node, and without --no-sandbox says what the host lacks", async () => {
  await using up = await nodeUp();
  const config = join(examples, "nodeconfigs", "simple.json");
  const argv = ["-s", up.url, "node", "up", `--config=${config}`];
  const env = { TMPDIR: await mkdtemp(join(up.directory, "tmp-")) };
  const sandboxed = await runNex(argv, { env });
  assert.equal(sandboxed.code, 1);
  assert.match(sandboxed.stderr, /--no-sandbox/);
  await using node = await startNex([...argv, "--no-sandbox", "--metrics"], { env });
  await node.waitForLine(/This version exports no telemetry yet metrics=true traces=false/);
  await node.waitForLine(/NATS execution engine awaiting commands/);
  const listed = await runNex(["-s", up.url, "node", "ls", "--json"]);
  assert.equal((JSON.parse(listed.stdout) as unknown[]).length, 2);
  node.signal("SIGTERM");
  assert.equal((await node.exit).code, 0);
});

test("node up without a reachable server says so and offers the embedded one", async () => {
  const result = await runNex(["node", "up", "--no-sandbox", "-s", "nats://127.0.0.1:1"]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /127\.0\.0\.1:1/);
  assert.match(result.stderr, /--embedded-nats/);
});

interface Process {
  readonly pid: number;
  readonly command: string;
}

function descendants(of: number): Process[] {
  const all = readdirSync("/proc").flatMap((name) => {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined;
    return parent === undefined ? [] : [{ pid: Number(name), parent }];
  });
  const below = (pid: number): number[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...below(child.pid)]);
  return below(of).map((pid) => ({ pid, command: commandLine(pid) }));
}

function parentOf(pid: number): number | undefined {
  const match = /\) \S (\d+)/.exec(read(`/proc/${pid}/stat`));
  return match === null ? undefined : Number(match[1]);
}

function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}

function environmentOf(pid: number): string[] {
  return read(`/proc/${pid}/environ`).split("\0");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
