// The agent's entry point: started by a node, reads its metadata, runs one workload, leaves when told to.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBlockingCalls } from "../agent-api/blocking-calls.ts";
import type { BlockingCalls } from "../agent-api/blocking-calls.ts";
import { createIpcLink } from "../agent-api/ipc-link.ts";
import type { Link } from "../agent-api/link.ts";
import { parseAgentMetadata } from "../agent-api/metadata.ts";
import type { AgentMetadata } from "../agent-api/metadata.ts";
import { parentProcessCalls, parentProcessChannel } from "../agent-api/parent-process-channel.ts";
import { NexError, errorText } from "../lib/errors.ts";
import { Agent } from "./agent.ts";

try {
  await run(parseAgentMetadata(process.env));
} catch (error) {
  console.error(`nex-agent: ${errorText(error)}`);
  process.exitCode = 1;
}

async function run(metadata: AgentMetadata): Promise<void> {
  const link = openLink(metadata);
  const directory = await mkdtemp(join(tmpdir(), "nex-agent-"));
  const agent = new Agent({
    id: metadata.workloadId,
    link,
    blockingCalls: openCalls(metadata),
    directory,
    onFatal: dieAtOnce,
  });
  let leaving: Promise<void> | undefined;
  const leave = (exitCode: number): void => {
    leaving ??= (async () => {
      await agent.stop();
      await rm(directory, { recursive: true, force: true });
      await link.close();
      process.exit(exitCode);
    })();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) process.on(signal, () => leave(0));
  void link.closed.then(() => leave(0));
  try {
    await agent.handshake("Metadata obtained from no-sandbox environment");
  } catch (error) {
    console.error(`nex-agent: no handshake with the node: ${errorText(error)}`);
    leave(1);
  }
}

function openLink({ transport }: AgentMetadata): Link {
  switch (transport.kind) {
    case "channel":
      return createIpcLink(parentProcessChannel(process));
    case "network":
      throw new NexError({
        code: "AGENT_METADATA_INVALID",
        message: "Cannot start the agent: this version has no link over the network",
      });
  }
}

function openCalls({ transport }: AgentMetadata): BlockingCalls | undefined {
  const descriptor = transport.kind === "channel" ? parentProcessCalls(process) : undefined;
  return descriptor === undefined ? undefined : createBlockingCalls(descriptor);
}

/** Nothing in this process can be relied on any more: no clean-up, no exit handlers. The node cleans up after us. */
function dieAtOnce(reason: string): void {
  console.error(`nex-agent: ${reason}`);
  process.kill(process.pid, "SIGKILL");
}
