import { existsSync } from "node:fs";
import { NexError } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { createProcessDriver } from "../sandbox/process/process-driver.ts";
import type { SandboxDriver } from "../sandbox/sandbox.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { AGENT } from "./host-plan.ts";

/**
 * The driver that the configuration asks for.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` when this host or this version cannot run it
 */
export async function createDriver(configuration: NodeConfiguration, logger: Logger): Promise<SandboxDriver> {
  if (!configuration.no_sandbox) {
    throw new NexError({
      code: "SANDBOX_UNAVAILABLE",
      message: "Cannot start the node: virtual machines are not available in this version",
      hint: 'Run workloads without a sandbox: `nex node up --no-sandbox`, or "no_sandbox": true in the configuration',
    });
  }
  if (!existsSync(AGENT)) {
    throw new NexError({
      code: "SANDBOX_UNAVAILABLE",
      message: `Cannot start the node: the agent "${AGENT}" does not exist`,
      hint: "Build it with `npm run build`",
    });
  }
  const driver = createProcessDriver({ agentProgram: process.execPath, agentArgv: [AGENT], logger });
  const probe = await driver.probe();
  if (probe.kind === "unavailable") {
    await driver[Symbol.asyncDispose]();
    throw new NexError({ code: "SANDBOX_UNAVAILABLE", message: `Cannot start the node: ${probe.reason}` });
  }
  logger.warn("Sandboxing is off: workloads run as child processes of this node", {
    isolation: probe.detail,
  });
  return driver;
}
