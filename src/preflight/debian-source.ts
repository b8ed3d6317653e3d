import { NexError } from "../lib/errors.ts";
import { findProgram } from "../lib/find-program.ts";
import { runTool } from "../lib/run-tool.ts";
import type { InstallContext, Source } from "./requirement.ts";

const UPDATE_LIMIT_MS = 120_000;
const INSTALL_LIMIT_MS = 900_000;

/** A package that apt installs on the system; as root only. */
export function debianSource(packageName: string): Source {
  return {
    title: `Debian's package ${packageName}`,
    isPackage: true,
    install: async (context) => {
      const apt = await aptGet(context);
      const run = async (argv: readonly string[], timeoutMs: number): Promise<string> =>
        runTool({
          program: apt,
          argv,
          environment: { ...context.environment, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
          timeoutMs,
          signal: context.signal,
        });
      const again = context.force ? ["--reinstall"] : [];
      const install = ["install", "--yes", "--no-install-recommends", ...again, packageName];
      context.report(`Installing Debian's package ${packageName}`);
      try {
        await run(install, INSTALL_LIMIT_MS);
      } catch (error) {
        if (error instanceof NexError && error.code === "ABORTED") throw error;
        // The lists may be missing or old.
        context.report("Updating the lists of Debian's packages");
        await run(["update"], UPDATE_LIMIT_MS);
        await run(install, INSTALL_LIMIT_MS);
      }
    },
  };
}

async function aptGet({ environment }: InstallContext): Promise<string> {
  const apt = await findProgram("apt-get", { path: environment["PATH"] ?? "" });
  if (apt === undefined) throw unavailable("there is no apt-get here");
  if (process.getuid?.() !== 0) {
    throw unavailable("only root may install packages");
  }
  return apt;
}

function unavailable(reason: string): NexError {
  return new NexError({ code: "PREFLIGHT_FAILED", message: reason });
}
