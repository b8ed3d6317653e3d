// The main job as a user runs it: `npm start`, with and without --once, and what it leaves behind.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findMarkedProcesses } from "../support/marked-processes.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "..", "..");
const supported = ["linux-x64", "linux-arm64"].includes(`${process.platform}-${process.arch}`);
const options = supported ? {} : { skip: "the example service is built for Linux on x64 and arm64 only" };

interface Start extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Its home and temporary directory. */
  readonly directory: string;
  readonly exit: Promise<number | null>;
}

async function start(...argv: readonly string[]): Promise<Start> {
  const directory = await mkdtemp(join(tmpdir(), "nex-e2e-start-"));
  const child = spawn(process.execPath, [join(root, "scripts", "start.mjs"), ...argv], {
    cwd: root,
    env: { ...process.env, HOME: directory, TMPDIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const exit = once(child, "close").then(([code]) => code as number | null);
  return {
    child,
    output: () => text,
    directory,
    exit,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exit;
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** What is left in the temporary directory, keys of the developer aside. */
async function leftovers({ directory }: Start): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name !== ".nex" && name !== "node-compile-cache");
}

test(
  "npm start -- --once shows three workloads that answer, exits with 0 and leaves nothing",
  options,
  async () => {
    await using run = await start("--once");
    assert.equal(await run.exit, 0, run.output());
    assert.match(run.output(), /✔ js\.echo +"heya" → "heya" in [\d.]+ ms/);
    assert.match(run.output(), /✔ wasm\.echo +"hello" → "hellowasm\.echo" in [\d.]+ ms/);
    assert.match(run.output(), /✔ svc\.echo +"hey" → "hey" in [\d.]+ ms/);
    assert.match(run.output(), /NEX Node Information/);
    assert.match(run.output(), /Name: echofunctionwasm/);
    assert.deepEqual(await leftovers(run), []);
    assert.deepEqual(findMarkedProcesses(run.directory), []);
  },
);

test(
  "npm start stays up until Ctrl-C, then stops everything; a taken port is said and avoided",
  options,
  async () => {
    const blocker = createServer().listen(4222, "127.0.0.1");
    const blocked = await Promise.race([
      once(blocker, "listening").then(() => true),
      once(blocker, "error").then(() => true),
    ]);
    assert.ok(blocked);
    try {
      await using run = await start();
      await until(() => run.output().includes("Ctrl-C stops everything"), { timeoutMs: 60_000 });
      assert.match(run.output(), /port 4222 is taken by another program: using a free port instead/);
      const url = /NATS server: (nats:\/\/127\.0\.0\.1:\d+)/.exec(run.output())?.[1];
      assert.ok(url !== undefined && !url.endsWith(":4222"));
      assert.ok(run.output().includes(`npx nex -s ${url} req js.echo`));
      run.child.kill("SIGINT");
      assert.equal(await run.exit, 0, run.output());
      assert.deepEqual(await leftovers(run), []);
      assert.deepEqual(findMarkedProcesses(run.directory), []);
    } finally {
      blocker.close();
    }
  },
);
