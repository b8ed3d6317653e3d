import { parseAuctionRequest } from "../control-api/auction.ts";
import type { AuctionRequest } from "../control-api/auction.ts";
import { encodeInfoReply } from "../control-api/info.ts";
import type { Machine as MachineReport } from "../control-api/info.ts";
import { encodeAuctionReply, encodePingReply } from "../control-api/ping.ts";
import type { PingReply } from "../control-api/ping.ts";
import { functionRuntimeText, uptimeText } from "../control-api/span-text.ts";
import { encodeWorkloadPingReply } from "../control-api/workload-ping.ts";
import { equalsIgnoringCase } from "./machine-registry.ts";
import type { OccupiedMachine } from "./machine-registry.ts";
import { readMemory } from "./node-identity.ts";
import type { NodeState } from "./node-state.ts";
import { isFunctionType } from "./workload.ts";

/** Answers PING. */
export function answerPing(node: NodeState): Uint8Array {
  return encodePingReply(pingData(node));
}

/** Answers AUCTION when the node fits the conditions and can take a workload; else silence. */
export function answerAuction(node: NodeState, body: Uint8Array): Uint8Array | undefined {
  if (node.isLameDuck || node.isFull() || !fits(node, parseAuctionRequest(body))) return undefined;
  return encodeAuctionReply(pingData(node));
}

/** Answers WPING when a workload of the namespace matches; else silence. */
export function answerWorkloadPing(
  node: NodeState,
  namespace: string,
  idOrName: string | undefined,
): Uint8Array | undefined {
  const matching = node.machines
    .occupied(namespace)
    .filter(
      ({ machine, state }) =>
        idOrName === undefined ||
        machine.id === idOrName ||
        equalsIgnoringCase(state.workload.name, idOrName),
    );
  if (matching.length === 0) return undefined;
  return encodeWorkloadPingReply({
    ...pingData(node),
    running_machines: matching.map(({ machine, state: { workload } }) => ({
      id: machine.id,
      namespace: workload.namespace,
      name: workload.name,
      type: workload.type,
    })),
  });
}

/** Answers INFO with the workloads of one namespace. */
export async function answerInfo(node: NodeState, namespace: string): Promise<Uint8Array> {
  const memory = await readMemory();
  return encodeInfoReply({
    version: node.identity.version,
    uptime: uptimeSince(node.identity.startedAt),
    public_xkey: node.identity.xkey.publicKey,
    tags: node.tags(),
    ...(memory === undefined ? {} : { memory }),
    machines: node.machines.occupied(namespace).map(report),
    supported_workload_types: node.configuration.workload_types,
  });
}

function pingData(node: NodeState): PingReply {
  return {
    node_id: node.identity.key.publicKey,
    nexus: node.identity.nexus,
    version: node.identity.version,
    uptime: uptimeSince(node.identity.startedAt),
    target_xkey: node.identity.xkey.publicKey,
    tags: node.tags(),
    running_machines: node.machines.occupied().length,
  };
}

function fits(node: NodeState, wanted: AuctionRequest): boolean {
  const tags = node.tags();
  const has = (key: string, value: string): boolean => {
    const actual = tags[key];
    return actual !== undefined && equalsIgnoringCase(actual, value);
  };
  const sandboxed = tags["nex.unsafe"] === undefined;
  const types: readonly string[] = node.configuration.workload_types;
  return (
    (wanted.arch === undefined || wanted.arch === "" || has("nex.arch", wanted.arch)) &&
    (wanted.os === undefined || wanted.os === "" || has("nex.os", wanted.os)) &&
    (wanted.sandboxed === undefined || wanted.sandboxed === sandboxed) &&
    Object.entries(wanted.tags ?? {}).every(([key, value]) => has(key, value)) &&
    (wanted.workload_types ?? []).every((type) => types.includes(type))
  );
}

function report({ machine, state }: OccupiedMachine): MachineReport {
  const { workload, hash } = state;
  const uptime = state.kind === "running" ? uptimeSince(state.since) : "0s";
  return {
    id: machine.id,
    healthy: true,
    uptime,
    namespace: workload.namespace,
    workload: {
      name: workload.name,
      description: workload.description,
      runtime: isFunctionType(workload.type) ? functionRuntimeText(state.usage.runtimeNs) : uptime,
      type: workload.type,
      hash,
    },
  };
}

function uptimeSince(start: Date): string {
  return uptimeText((Date.now() - start.getTime()) / 1000);
}
