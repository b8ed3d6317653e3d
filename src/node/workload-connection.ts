import type { NatsConnection } from "@nats-io/transport-node";
import type { WorkloadServices } from "../host-services/host/host-services.ts";
import type { ConnectionSettings } from "../nats/connection-settings.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { createWorkloadServices } from "./workload-services.ts";
import type { Workload, WorkloadCredentials } from "./workload.ts";

/** The connections used on behalf of one function, apart from the control connection (protocol.md 6.7). */
export interface WorkloadConnection {
  /** Trigger subscriptions and messaging. */
  readonly triggers: NatsConnection;
  /** Key-value and object stores; the same as `triggers` unless the deploy gave a trigger connection of its own. */
  readonly hostServices: NatsConnection;
  /** What the function may call, over these connections. */
  readonly services: WorkloadServices;
  close(): Promise<void>;
}

export interface WorkloadConnectionOptions {
  readonly configuration: NodeConfiguration;
  /** Settings of the control connection, used when nothing else is configured. */
  readonly control: ConnectionSettings;
  readonly connect: (settings: ConnectionSettings) => Promise<NatsConnection>;
}

/**
 * Connects for one workload: its own `host_services`, else the node's settings, else the control connection's URL and
 * credentials; triggers on its `trigger_connection` if it has one.
 *
 * @throws {NexError} as `connectToNats`; nothing stays connected
 */
export async function connectWorkload(
  { configuration, control, connect }: WorkloadConnectionOptions,
  workload: Workload,
): Promise<WorkloadConnection> {
  const hostServices = await connect(hostServiceSettings(configuration, control, workload.hostServices));
  if (workload.triggerConnection === undefined) {
    const connections = { triggers: hostServices, hostServices };
    const services = createWorkloadServices(configuration, workload, connections);
    return { ...connections, services, close: async () => hostServices.close() };
  }
  try {
    const triggers = await connect(given(workload.triggerConnection, "workload-trigger-subscription"));
    const close = async (): Promise<void> => {
      await Promise.allSettled([triggers.close(), hostServices.close()]);
    };
    const services = createWorkloadServices(configuration, workload, { triggers, hostServices });
    return { triggers, hostServices, services, close };
  } catch (error) {
    await hostServices.close();
    throw error;
  }
}

function hostServiceSettings(
  { host_services: settings }: NodeConfiguration,
  control: ConnectionSettings,
  own: WorkloadCredentials | undefined,
): ConnectionSettings {
  const name = "nex-hostservices";
  if (own !== undefined) return given(own, name);
  if (settings.nats_url === "" && settings.nats_user_jwt === "") return { ...control, name };
  const natsUrl = settings.nats_url === "" ? control.servers : settings.nats_url;
  return given({ natsUrl, userJwt: settings.nats_user_jwt, userSeed: settings.nats_user_seed }, name);
}

function given({ natsUrl, userJwt, userSeed }: WorkloadCredentials, name: string): ConnectionSettings {
  if (userJwt === "") return { servers: natsUrl, name };
  return { servers: natsUrl, userJwt, userSeed, name };
}
