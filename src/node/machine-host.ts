/**
 * A host whose agents run in virtual machines:
 *
 *     network (gateway address) ── metadata service ── internal NATS server ── driver
 *
 * each of them on the gateway address of the one before, taken down in the reverse order.
 */
import { join } from "node:path";
import { encodeMachineMetadata } from "../agent-api/machine-metadata.ts";
import { startInternalNats } from "../internal-nats/start-internal-nats.ts";
import { NexError } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import { startMetadataService } from "../sandbox/metadata/metadata-service.ts";
import { startVirtualMachineNetwork } from "../sandbox/network/start-network.ts";
import type { NetworkConfiguration } from "../sandbox/network/probe-network.ts";
import { describeIsolation } from "./agent-host.ts";
import type { AgentHost } from "./agent-host.ts";
import { configuredMachineDriver } from "./configured-machine-driver.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { hostPlan } from "./host-plan.ts";
import type { FindNatsServer } from "./public-nats-server.ts";

export interface MachineHostOptions {
  readonly configuration: NodeConfiguration;
  /** The environment variable PATH. */
  readonly searchPath: string;
  readonly findNatsServer: FindNatsServer | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

/**
 * Starts what virtual machines need.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` naming what is missing, or why the internal NATS server did not start
 */
export async function startMachineHost(options: MachineHostOptions): Promise<AgentHost> {
  const { configuration, searchPath, logger, signal } = options;
  const { internal_node_host: host, internal_node_port: port, state_dir: stateDirectory } = configuration;
  await using stack = new AsyncDisposableStack();
  const network = stack.use(
    await startVirtualMachineNetwork({
      ...networkConfiguration(configuration, searchPath),
      stateDirectory: join(stateDirectory, "network"),
      logger,
    }),
  );
  const metadata = stack.use(await startMetadataService({ host, port: 0, logger }));
  network.serveMetadata(metadata.port);
  const binary = await findServer(options);
  const nats = stack.use(
    await startInternalNats({ binary, host, port: port === 0 ? -1 : port, logger, signal }),
  );
  logger.info("Internal NATS server started", { client_url: nats.clientUrl });
  const driver = stack.use(
    await configuredMachineDriver({ configuration, network, metadata, searchPath, logger }),
  );
  const isolation = await describeIsolation(driver, logger);
  const resources = stack.move();
  return {
    driver,
    advice: ADVICE,
    isolation,
    ended: nats.exit.then((exit) => `the internal NATS server ended (${exit.kind})`),
    prepare: async (id) => {
      const agent = await nats.addAgent(id);
      return {
        metadata: encodeMachineMetadata({ workloadId: id, host, port: nats.port, nkeySeed: agent.nkeySeed }),
        openLink: () => agent.link,
        openCalls: () => undefined,
        [Symbol.asyncDispose]: async () => agent[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: async () => resources[Symbol.asyncDispose](),
  };
}

const ADVICE =
  "Look at what the machine said in the lines above, and at kernel, root file system and machine_template.memsize_mib in the configuration; `nex node preflight --force` makes new images";

/** The network of virtual machines, as configured. */
function networkConfiguration(configuration: NodeConfiguration, searchPath: string): NetworkConfiguration {
  const { cni, internal_node_host: gateway } = configuration;
  return {
    networkName: cni.network_name,
    interfaceName: cni.interface_name,
    subnet: cni.subnet,
    gateway,
    cniBinPath: hostPlan(configuration, searchPath).cniBinPath,
    confDirectory: cni.conf_path,
    ...(cni.nameservers.length === 0 ? {} : { nameservers: cni.nameservers }),
    allow: cni.allow,
  };
}

async function findServer({ findNatsServer }: MachineHostOptions): Promise<string> {
  if (findNatsServer !== undefined) return findNatsServer();
  throw new NexError({ code: "INTERNAL", message: "Virtual machines need findNatsServer" });
}
