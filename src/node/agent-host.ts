/** Where the agents of a node run, and how the node reaches them. */
import type { Link } from "../agent-api/link.ts";
import { createIpcLink } from "../agent-api/ipc-link.ts";
import { encodeAgentMetadata } from "../agent-api/metadata.ts";
import { NexError } from "../lib/errors.ts";
import { limitLogger } from "../lib/limited-logger.ts";
import type { Logger } from "../lib/logger.ts";
import type { Sandbox, SandboxDriver, SandboxSpec } from "../sandbox/sandbox.ts";

/** An agent that sends nonsense cannot flood the node's log. */
const LINK_LOG_LIMIT = { lines: 20, perMs: 10_000 };

/** A driver that works here, with what its agents need to reach the node. */
export interface AgentHost extends AsyncDisposable {
  readonly driver: SandboxDriver;
  /** The next step for whoever starts a node whose agents do not start. */
  readonly advice?: string;
  /** What isolates a workload, in words. */
  readonly isolation: string;
  /**
   * Makes ready what the agent `id` needs, before its sandbox starts.
   *
   * @throws {NexError} why the node cannot be reached by agents
   */
  prepare(id: string): Promise<PreparedAgent>;
  /** Resolves with the reason when no further agent can be reached. */
  readonly ended: Promise<string>;
}

/** What was made ready for one agent; dispose takes it back, once its sandbox has ended. */
export interface PreparedAgent extends AsyncDisposable {
  readonly metadata: SandboxSpec["metadata"];
  /** The node's end of the link. The caller closes it, and what {@link openCalls} gives. */
  openLink(sandbox: Sandbox): Link;
  /** Where the agent's calls come that it waits for; only host services are served there. */
  openCalls(sandbox: Sandbox): Link | undefined;
}

/**
 * A host whose agents have a channel to this process.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE` when the driver does not work here; it is disposed then
 */
export async function createChannelHost(driver: SandboxDriver, logger: Logger): Promise<AgentHost> {
  const isolation = await describeIsolation(driver, logger);
  const linkLogger = limitLogger(logger, LINK_LOG_LIMIT);
  return {
    driver,
    isolation,
    ended: new Promise(() => {}),
    prepare: async (id) => ({
      metadata: encodeAgentMetadata({
        workloadId: id,
        sandboxed: driver.isolation === "virtual-machine",
        transport: { kind: "channel" },
      }),
      openLink: ({ transport }) => {
        if (transport.kind === "channel") return createIpcLink(transport.channel, { logger: linkLogger });
        throw new NexError({ code: "INTERNAL", message: "The sandbox has no channel to its agent" });
      },
      openCalls: ({ transport }) =>
        transport.kind === "channel" && transport.calls !== undefined
          ? createIpcLink(transport.calls, { logger: linkLogger })
          : undefined,
      [Symbol.asyncDispose]: async () => {},
    }),
    [Symbol.asyncDispose]: async () => driver[Symbol.asyncDispose](),
  };
}

/**
 * Asks a driver whether it works here, and tells the log what it isolates.
 *
 * @throws {NexError} `SANDBOX_UNAVAILABLE`; the driver is disposed then
 */
export async function describeIsolation(driver: SandboxDriver, logger: Logger): Promise<string> {
  const probe = await driver.probe();
  if (probe.kind === "unavailable") {
    await driver[Symbol.asyncDispose]();
    throw new NexError({ code: "SANDBOX_UNAVAILABLE", message: `Cannot start the node: ${probe.reason}` });
  }
  const fields = { isolation: probe.detail, missing: probe.missing ?? [] };
  if (driver.isolation === "process") {
    logger.warn("Sandboxing is off: workloads run as child processes of this node", fields);
  } else logger.info("Workloads run in virtual machines", fields);
  return probe.detail;
}
