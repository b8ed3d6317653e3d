import { parseAuctionRequest } from "../control-api/auction.ts";
import type { AuctionRequest } from "../control-api/auction.ts";
import { encodeInfoReply } from "../control-api/info.ts";
import type { Machine as MachineReport } from "../control-api/info.ts";
import { encodeAuctionReply, encodePingReply } from "../control-api/ping.ts";
import type { PingReply } from "../control-api/ping.ts";
import { functionRuntimeText, uptimeText } from "../control-api/span-text.ts";
import { encodeWorkloadPingReply } from "../control-api/workload-ping.ts";
import type { EssentialWorkloads, WaitingWorkload } from "./essential-workloads.ts";
import { equalsIgnoringCase } from "./machine-registry.ts";
import type { OccupiedMachine } from "./machine-registry.ts";
import { readMemory } from "./node-identity.ts";
import type { NodeState } from "./node-state.ts";
import { isFunctionType } from "./workload.ts";
import type { Workload } from "./workload.ts";

/** Answers PING. */
export function answerPing(node: NodeState): Uint8Array {
  return encodePingReply(pingData(node));
}

/** Answers AUCTION when the node fits the conditions and can take a workload; else silence. */
export function answerAuction(node: NodeState, body: Uint8Array): Uint8Array | undefined {
  if (node.isLameDuck || node.isFull() || !fits(node, parseAuctionRequest(body))) return undefined;
  return encodeAuctionReply(pingData(node));
}

/** Answers WPING when a workload of the namespace matches, also one that waits for its restart; else silence. */
export function answerWorkloadPing(
  node: NodeState,
  essential: EssentialWorkloads,
  { namespace, idOrName }: { readonly namespace: string; readonly idOrName: string | undefined },
): Uint8Array | undefined {
  const running = node.machines
    .occupied(namespace)
    .map(({ machine: { id }, state: { workload } }) => ({ id, workload }));
  const matching = [...running, ...essential.waiting(namespace)].filter(
    ({ id, workload }) =>
      idOrName === undefined || id === idOrName || equalsIgnoringCase(workload.name, idOrName),
  );
  if (matching.length === 0) return undefined;
  return encodeWorkloadPingReply({
    ...pingData(node),
    running_machines: matching.map(({ id, workload }) => ({
      id,
      namespace: workload.namespace,
      name: workload.name,
      type: workload.type,
    })),
  });
}

/** Answers INFO with the workloads of one namespace. */
export async function answerInfo(
  node: NodeState,
  essential: EssentialWorkloads,
  namespace: string,
): Promise<Uint8Array> {
  const memory = await readMemory();
  return encodeInfoReply({
    version: node.identity.version,
    uptime: uptimeSince(node.identity.startedAt),
    public_xkey: node.identity.xkey.publicKey,
    tags: node.tags(),
    ...(memory === undefined ? {} : { memory }),
    machines: [
      ...node.machines.occupied(namespace).map((occupied) => report(node, occupied)),
      ...essential.waiting(namespace).map((waiting) => reportWaiting(node, waiting)),
    ],
    supported_workload_types: node.configuration.workload_types,
    isolation: node.identity.isolation,
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

function report(node: NodeState, { machine, state }: OccupiedMachine): MachineReport {
  const { workload, hash } = state;
  const uptime = state.kind === "running" ? uptimeSince(state.since) : "0s";
  const runtime = isFunctionType(workload.type) ? functionRuntimeText(state.usage.runtimeNs) : uptime;
  return {
    id: machine.id,
    healthy: true,
    uptime,
    namespace: workload.namespace,
    workload: {
      ...describe(node, workload),
      ...(isFunctionType(workload.type) ? { instances: node.machines.instancesOf(machine.id) } : {}),
      runtime,
      hash,
    },
  };
}

function reportWaiting(node: NodeState, { id, workload, hash }: WaitingWorkload): MachineReport {
  const { namespace } = workload;
  const described = { ...describe(node, workload), runtime: "0s", hash };
  return { id, healthy: false, uptime: "0s", namespace, workload: described };
}

function describe(
  { isLameDuck }: NodeState,
  workload: Workload,
): Omit<MachineReport["workload"], "runtime" | "hash"> {
  const { name, description, type, essential, restarts, triggerSubjects, fresh, concurrency } = workload;
  return {
    name,
    description,
    type,
    essential: essential && !isLameDuck,
    restarts: restarts.count,
    ...(restarts.lastExit === undefined ? {} : { last_exit: restarts.lastExit }),
    ...(triggerSubjects.length === 0 ? {} : { trigger_subjects: triggerSubjects }),
    ...(isFunctionType(type) ? { fresh, concurrency } : {}),
  };
}

function uptimeSince(start: Date): string {
  return uptimeText((Date.now() - start.getTime()) / 1000);
}
