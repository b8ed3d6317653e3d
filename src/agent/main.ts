// The agent's entry point: started by a node, reads its metadata, runs one workload, leaves when told to.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBlockingCalls } from "../agent-api/blocking-calls.ts";
import type { BlockingCalls } from "../agent-api/blocking-calls.ts";
import { createIpcLink } from "../agent-api/ipc-link.ts";
import type { Link } from "../agent-api/link.ts";
import type { ToldMetadata } from "../agent-api/machine-metadata.ts";
import { parseAgentMetadata } from "../agent-api/metadata.ts";
import type { AgentMetadata } from "../agent-api/metadata.ts";
import { parentProcessCalls, parentProcessChannel } from "../agent-api/parent-process-channel.ts";
import { preloadFunctionEngine } from "../functions/load-function.ts";
import { errorText } from "../lib/errors.ts";
import { Agent } from "./agent.ts";

try {
  await run(await readMetadata());
} catch (error) {
  console.error(`nex-agent: ${errorText(error)}`);
  process.exitCode = 1;
}

/** From the environment; in a virtual machine, where nobody set any, from the metadata service. */
async function readMetadata(): Promise<ToldMetadata> {
  if (Object.keys(process.env).some((name) => name.startsWith("NEX_")))
    return {
      metadata: parseAgentMetadata(process.env),
      message: "Metadata obtained from no-sandbox environment",
    };
  const { fetchMachineMetadata } = await import("./metadata-service.ts");
  return fetchMachineMetadata();
}

async function run({ metadata, message }: ToldMetadata): Promise<void> {
  const link = await openLink(metadata);
  const directory = await mkdtemp(join(tmpdir(), "nex-agent-"));
  const { workloadId: id, sandboxed } = metadata;
  const blockingCalls = openCalls(metadata);
  const agent = new Agent({ id, link, blockingCalls, directory, sandboxed, onFatal: dieAtOnce });
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
    await agent.handshake(message);
  } catch (error) {
    console.error(`nex-agent: no handshake with the node: ${errorText(error)}`);
    leave(1);
    return;
  }
  // The memory is the machine's own, and slow processors need long for it. A deploy says what is wrong with the engine.
  if (sandboxed) await preloadFunctionEngine().catch(() => {});
}

async function openLink({ workloadId: id, transport }: AgentMetadata): Promise<Link> {
  switch (transport.kind) {
    case "channel":
      return createIpcLink(parentProcessChannel(process));
    case "network": {
      // Agents with a channel start faster without the NATS client.
      const { connectNetworkLink } = await import("./network-link.ts");
      return connectNetworkLink({ id, ...transport });
    }
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
