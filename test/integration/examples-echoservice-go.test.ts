import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { startNats } from "../support/start-nats.ts";
import { until } from "../support/until.ts";
import { startEchoProcess } from "./examples-echo-process.ts";

const directory = join(import.meta.dirname, "..", "..", "examples", "services", "echoservice-go");
const run = promisify(execFile);

/** Why the Go program cannot be built here, or false. */
async function cannotBuild(): Promise<string | false> {
  if (spawnSync("go", ["version"]).error !== undefined) return "this machine has no Go";
  try {
    // The modules are small; without a proxy this fails at once or never.
    await run("go", ["mod", "download"], { cwd: directory, timeout: 20_000, env: goEnvironment() });
    return false;
  } catch (error) {
    const [line = ""] = ((error as { stderr?: string }).stderr ?? "").split("\n");
    return `the Go modules it needs cannot be had here: ${line === "" ? "no answer within 20 s" : line}`;
  }
}

function goEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly -buildvcs=false" };
}

describe("Go echo service", () => {
  it("builds as the guide says and answers", async (test) => {
    const reason = await cannotBuild();
    if (reason !== false) {
      test.skip(reason);
      return;
    }
    const build = await mkdtemp(join(tmpdir(), "nex-test-echo-go-"));
    try {
      const program = join(build, "echoservice");
      const flags = ["-tags", "netgo", "-ldflags", '-extldflags "-static"'];
      await run("go", ["build", ...flags, "-o", program], { cwd: directory, env: goEnvironment() });

      await using server = await startNats({ jetstream: false });
      await using echo = startEchoProcess({ NATS_URL: server.url }, program);
      assert.equal(await echo.serving, `Echo service using NATS url '${server.url}'\nStarting echo service`);
      const nats = await server.connect();
      // It says that it starts just before it subscribes.
      const reply = await until(() => nats.request("svc.echo", "hey"));
      assert.equal(reply.string(), "hey");
    } finally {
      await rm(build, { recursive: true, force: true });
    }
  });
});
