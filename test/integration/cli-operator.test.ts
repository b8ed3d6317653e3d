// A day of an operator on a real node: every command of the control plane through the real command line.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { textWidth } from "../../src/cli/output/text-width.ts";
import { findProgram } from "../../src/lib/find-program.ts";
import { NEX, runNex, startNex } from "../support/run-nex.ts";
import type { NexResult, RunningNex } from "../support/run-nex.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";

let real: TestNode;
let home: string;
let env: Readonly<Record<string, string>>;

before(async () => {
  real = await startTestNode();
  home = await mkdtemp(join(tmpdir(), "nex-test-operator-"));
  env = { HOME: home, NATS_URL: real.nats.url, NATS_TIMEOUT: "1s" };
  await writeFile(
    join(home, "echo.js"),
    '(subject, payload) => { console.log("for " + subject); return payload; };',
  );
});
after(async () => {
  await real?.[Symbol.asyncDispose]();
  if (home !== undefined) await rm(home, { recursive: true, force: true });
});

function nex(...args: readonly string[]): Promise<NexResult> {
  return runNex(args, { cwd: home, env });
}

async function following(...args: readonly string[]): Promise<RunningNex> {
  const running = await startNex(args, { env });
  await running.waitForLine(/, Ctrl-C ends$/);
  return running;
}

describe("the command line on a real node", () => {
  test("deploys, watches, lists, inspects and stops", async () => {
    await using logs = await following("logs", "echojs");
    await using events = await following("events");
    const devrun = await nex("devrun", "echo.js", "--trigger_subject=day.echo", "--json");
    const { workload_id: id } = JSON.parse(devrun.stdout) as { readonly workload_id: string };
    assert.equal((await nex("req", "day.echo", "hello", "--raw")).stdout, "hello\n");
    await logs.waitForLine(/^\[INF\] .* - echojs \| for day\.echo$/);
    await events.waitForLine(/ event_type=workload_deployed .* workload_name=echojs/);
    await events.waitForLine(
      / event_type=function_exec_succeeded .*trigger_subject=day\.echo elapsed_nanos=\d+/,
    );

    assert.match(
      (await nex("node", "probe", "--workload=ECHOJS")).stdout,
      new RegExp(`│ ${id} │ echojs │ v8 `),
    );
    const [listed] = JSON.parse((await nex("ps", "--json")).stdout) as Record<string, unknown>[];
    assert.deepEqual(
      [listed?.["id"], listed?.["node_id"], listed?.["healthy"], listed?.["type"]],
      [id, real.node.nodeId, true, "v8"],
    );
    assert.match(String(listed?.["uptime"]), /^\d+s$/);
    const info = await nex("node", "info", real.node.nodeId, "--full");
    assert.match(info.stdout, new RegExp(String.raw`\n +Id: ${id}\n`));
    assert.match(info.stdout, /\n +Trigger Subjects: day\.echo\n/);

    const stop = await nex("stop", "echojs");
    assert.deepEqual([stop.code, stop.stdout, stop.stderr], [0, "✅ Workload 'echojs' stopped.\n", ""]);
    await events.waitForLine(
      new RegExp(` event_type=workload_undeployed .* vmid=${id} workload_name=echojs`),
    );
    assert.equal((await nex("ps")).stdout, 'No workloads in namespace "default"\n');
  });

  test("deploys from the object store with a hash that the node checks", async () => {
    await nex("devrun", "echo.js", "--trigger_subject=day.echo");
    await nex("stop", "echojs");
    const keys = [`--issuer=${home}/.nex/issuer.nk`, `--xkey=${home}/.nex/publisher.xk`];
    const flags = ["--name=stored", "--type=v8", "--trigger_subject=day.stored"];
    const run = await nex("run", "nats://NEXCLIFILES/echojs", real.node.nodeId, ...keys, ...flags);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    assert.equal((await nex("req", "day.stored", "x", "--raw")).stdout, "x\n");
    const missing = await nex("run", "nats://NEXCLIFILES/nothing", real.node.nodeId, ...keys, ...flags);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^⛔ Workload run request failed to submit: .*object not found/);
    assert.equal((await nex("stop", "stored")).code, 0);
  });

  test("shortens ids in a terminal that is too narrow, and nowhere else", async (t) => {
    const script = await findProgram("script", { path: process.env["PATH"] ?? "" });
    if (script === undefined) return t.skip("needs the program script, of util-linux");
    const wide = await inTerminal(script, 130);
    assert.ok(wide.includes(`│ ${real.node.nodeId} `));
    const narrow = await inTerminal(script, 80);
    const { nodeId } = real.node;
    assert.ok(!narrow.includes(nodeId));
    assert.match(narrow, new RegExp(`│ ${nodeId.slice(0, 11)}[A-Z0-9]*…[A-Z0-9]*${nodeId.slice(-11)} `));
    const lines = narrow.split(/\r?\n/).filter((line) => /^[╭│├╰]/.test(line));
    assert.deepEqual(new Set(lines.map(textWidth)), new Set([80]));
    assert.ok((await nex("node", "ls")).stdout.includes(nodeId));
  });

  test("puts the node into lame duck mode, which is refused deploys and marked in the list", async () => {
    const { stdout } = await nex("lameduck", real.node.nodeId.slice(0, 20));
    assert.equal(stdout, `Command to enter lame duck mode issued to ${real.node.nodeId}\n`);
    assert.ok((await nex("node", "ls")).stdout.includes(`│ ${real.node.nodeId}* │`));
    const devrun = await nex("devrun", "echo.js", "--trigger_subject=day.echo");
    assert.equal(devrun.code, 1);
    assert.match(devrun.stderr, /^nex: error: unable to locate candidate node/m);
  });
});

/** What `nex node ls` prints in a terminal of that many columns. */
async function inTerminal(script: string, columns: number): Promise<string> {
  const command = `stty cols ${columns}; exec ${NEX} node ls`;
  const child = spawn(script, ["-qec", command, "/dev/null"], {
    env: { ...env, PATH: process.env["PATH"] ?? "", TERM: "xterm" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return text(child.stdout);
}
