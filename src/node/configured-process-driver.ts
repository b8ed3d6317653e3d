import { existsSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { NexError } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { ProcessLimits } from "../sandbox/process/limits.ts";
import { createProcessDriver } from "../sandbox/process/process-driver.ts";
import type { SandboxDriver } from "../sandbox/sandbox.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { AGENT } from "./host-plan.ts";

/** What it loads: its source map, the kind of its modules, the engine of functions. */
const AGENT_FILES = [
  dirname(AGENT),
  join(dirname(AGENT), "..", "package.json"),
  ...modulesOf(fileURLToPath(import.meta.resolve("isolated-vm"))),
];

/**
 * The driver of nodes without a sandbox.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` when there is no agent
 */
export function configuredProcessDriver(configuration: NodeConfiguration, logger: Logger): SandboxDriver {
  if (!existsSync(AGENT)) {
    throw new NexError({
      code: "SANDBOX_UNAVAILABLE",
      message: `Cannot start the node: the agent "${AGENT}" does not exist`,
      hint: "Build it with `npm run build`",
    });
  }
  const { process_isolation: isolation, node_seed_file, xkey_seed_file } = configuration;
  return createProcessDriver({
    agentProgram: process.execPath,
    agentArgv: [AGENT],
    logger,
    isolation,
    limits: isolation === "none" ? {} : limitsOf(configuration),
    neededFiles: AGENT_FILES,
    hiddenFiles: [...configuration.process_hidden_paths, node_seed_file, xkey_seed_file]
      .filter((path) => path !== undefined)
      .map((path) => resolve(path)),
  });
}

/** The default of memory keeps a workload from taking the host along, not from being large. */
function limitsOf({ process_limits: { memory_mib, processes } }: NodeConfiguration): ProcessLimits {
  const hostMiB = totalmem() / 1024 / 1024;
  return {
    memoryMiB: orNone(memory_mib ?? Math.floor((3 * hostMiB) / 4)),
    processes: orNone(processes),
  };
}

function orNone(limit: number): number | undefined {
  return limit === 0 ? undefined : limit;
}

/** The directory that a package and what it depends on are installed in. */
function modulesOf(file: string): readonly string[] {
  const name = "/node_modules/";
  const at = file.lastIndexOf(name);
  return at === -1 ? [] : [file.slice(0, at + name.length - 1)];
}
