import { join } from "node:path";
import { runTool } from "../lib/run-tool.ts";
import type { SourceContext } from "./server-source.ts";

const BUILD_LIMIT_MS = 10 * 60_000;

/** Builds the pinned version with the Go on the PATH, from Go's module proxy (which checks the source's sum). */
export async function goServer(context: SourceContext): Promise<string> {
  const { directory, environment, release, signal } = context;
  const { GOOS: _system, GOARCH: _machine, GOFLAGS: _flags, ...inherited } = environment;
  const goEnvironment = { ...inherited, GOBIN: directory, CGO_ENABLED: "0" };
  await runTool({ program: "go", argv: ["version"], environment: goEnvironment, timeoutMs: 10_000, signal });
  context.report(`Building nats-server ${release.version} with Go, which takes a minute or two`);
  await runTool({
    program: "go",
    argv: ["install", "-trimpath", `github.com/nats-io/nats-server/v2@v${release.version}`],
    environment: goEnvironment,
    workingDirectory: directory,
    timeoutMs: BUILD_LIMIT_MS,
    signal,
  });
  return join(directory, "nats-server");
}
