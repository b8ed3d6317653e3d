import type { ControlClient } from "../../control-api/index.ts";
import { NexError } from "../../lib/errors.ts";
import type { WorkloadFile } from "./workload-file.ts";

/**
 * The node to deploy to: among those that offer themselves one that already runs a workload of that name, otherwise any.
 *
 * @throws {NexError} `NODE_NOT_FOUND` when none does
 */
export async function chooseNode(
  client: ControlClient,
  { name, type, platform }: WorkloadFile,
  windowMs: number,
): Promise<string> {
  const window = { timeoutMs: windowMs };
  const [offers, running] = await Promise.all([
    client.auction({ ...platform, workload_types: [type] }, window),
    client.findWorkloads(name, window),
  ]);
  if (offers.length === 0) throw noNode(await client.listNodes(window), { type, platform });
  const preferred = offers.filter((offer) => running.some((node) => node.node_id === offer.node_id));
  const candidates = preferred.length > 0 ? preferred : offers;
  const chosen = candidates[Math.floor(Math.random() * candidates.length)];
  if (chosen === undefined) throw noNode([], { type, platform });
  return chosen.node_id;
}

function noNode(
  nodes: readonly unknown[],
  { type, platform }: Pick<WorkloadFile, "type" | "platform">,
): NexError {
  const wanted = platform === undefined ? type : `${type} workloads for ${platform.os}/${platform.arch}`;
  return new NexError({
    code: "NODE_NOT_FOUND",
    message: "unable to locate candidate node - no nodes discovered",
    hint:
      nodes.length === 0
        ? 'Start a node with "nex node up", and see that both use the same NATS server'
        : `${nodes.length} node(s) answer, but none takes ${wanted} now: see "nex node ls --full"`,
  });
}
