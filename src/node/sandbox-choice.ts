import type { NodeOptions } from "./start-node.ts";
import { createChannelHost } from "./agent-host.ts";
import type { AgentHost } from "./agent-host.ts";
import { configuredProcessDriver } from "./configured-process-driver.ts";

/**
 * The driver that was given, or else what the configuration asks for. What virtual machines need is loaded only for them.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` when this host cannot run it
 */
export async function openAgentHost(options: NodeOptions): Promise<AgentHost> {
  const { configuration, logger, driver, environment, findNatsServer, signal } = options;
  if (driver !== undefined) return createChannelHost(driver, logger);
  if (configuration.no_sandbox)
    return createChannelHost(configuredProcessDriver(configuration, logger), logger);
  const { startMachineHost } = await import("./machine-host.ts");
  const searchPath = environment["PATH"] ?? "";
  return startMachineHost({ configuration, searchPath, findNatsServer, logger, signal });
}
