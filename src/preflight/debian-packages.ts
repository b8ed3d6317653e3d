import { NexError } from "../lib/errors.ts";
import { findProgram } from "../lib/find-program.ts";
import { runTool } from "../lib/run-tool.ts";
import type { InstallContext } from "./requirement.ts";

const UPDATE_LIMIT_MS = 120_000;
const INSTALL_LIMIT_MS = 900_000;

/**
 * Lets apt install packages on the system, without what they recommend.
 *
 * @throws {NexError} `PREFLIGHT_FAILED` where there is no apt or we are not root, `TOOL_FAILED`, `TIMEOUT`, `ABORTED`
 */
export async function installDebianPackages(
  names: readonly string[],
  { environment, report, signal, force }: Omit<InstallContext, "target" | "cacheDirectory">,
): Promise<void> {
  const apt = await aptGet(environment["PATH"] ?? "");
  const run = async (argv: readonly string[], timeoutMs: number): Promise<string> =>
    runTool({
      program: apt,
      argv,
      environment: { ...environment, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
      timeoutMs,
      signal,
    });
  const again = force ? ["--reinstall"] : [];
  const install = ["install", "--yes", "--no-install-recommends", ...again, ...names];
  report(`Installing Debian's ${names.length === 1 ? "package" : "packages"} ${names.join(", ")}`);
  try {
    await run(install, INSTALL_LIMIT_MS);
  } catch (error) {
    if (error instanceof NexError && error.code === "ABORTED") throw error;
    // The lists may be missing or old.
    report("Updating the lists of Debian's packages");
    await run(["update"], UPDATE_LIMIT_MS);
    await run(install, INSTALL_LIMIT_MS);
  }
}

async function aptGet(path: string): Promise<string> {
  const apt = await findProgram("apt-get", { path });
  if (apt === undefined) throw unavailable("there is no apt-get here");
  if (process.getuid?.() !== 0) {
    throw unavailable("only root may install packages");
  }
  return apt;
}

function unavailable(reason: string): NexError {
  return new NexError({ code: "PREFLIGHT_FAILED", message: reason });
}
