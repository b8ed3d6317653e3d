import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runTool } from "../../src/lib/run-tool.ts";
import type { ToolRun } from "../../src/lib/run-tool.ts";

function shell(script: string, options: Partial<ToolRun> = {}): Promise<string> {
  return runTool({
    program: "/bin/sh",
    argv: ["-c", script],
    environment: {},
    timeoutMs: 20_000,
    ...options,
  });
}

describe("runTool", () => {
  it("gives the whole output of programs that end at once", async () => {
    const outputs = await Promise.all(Array.from({ length: 20 }, (_, index) => shell(`echo line ${index}`)));
    assert.deepEqual(
      outputs,
      outputs.map((_, index) => `line ${index}\n`),
    );
    assert.equal((await shell("seq 1 50000")).length, 288_894);
  });

  it("quotes the last lines of a program that fails", async () => {
    await assert.rejects(shell("for n in 1 2 3 4 5; do echo trouble $n >&2; done; exit 3"), {
      code: "TOOL_FAILED",
      message: '"/bin/sh" ended with exit code 3: trouble 3; trouble 4; trouble 5',
    });
    await assert.rejects(shell("kill -TERM $$"), { code: "TOOL_FAILED", message: /signal SIGTERM$/ });
  });

  it("ends a program that takes too long, with what it started", async () => {
    await assert.rejects(shell("sleep 60 & sleep 60", { timeoutMs: 100 }), {
      code: "TIMEOUT",
      message: /within 0\.1 s/,
    });
  });

  it("ends a program when it is aborted", async () => {
    await assert.rejects(shell("sleep 60", { signal: AbortSignal.timeout(50) }), { code: "ABORTED" });
    await assert.rejects(shell("exit 0", { signal: AbortSignal.abort() }), { code: "ABORTED" });
  });

  it("says that there is no such program", async () => {
    await assert.rejects(shell("", { program: "no-such-program" }), { code: "PROCESS_START_FAILED" });
  });
});
