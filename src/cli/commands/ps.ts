import { NexError } from "../../lib/errors.ts";
import type { ControlClient, LastExit, Machine } from "../../control-api/index.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { withControlClient } from "../connection.ts";
import { renderTable } from "../output/table.ts";
import type { Table } from "../output/table.ts";
import { runningWorkloads } from "../running-workload.ts";
import type { RunningWorkload } from "../running-workload.ts";

/** A workload as `nex ps --json` prints it. What its node does not tell is null. */
export interface ListedWorkload {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly namespace: string;
  readonly node_id: string;
  readonly node_name: string;
  readonly uptime: string | null;
  readonly healthy: boolean | null;
  readonly restarts: number | null;
  readonly last_exit: LastExit | null;
}

/** `nex ps`: the workloads of all nodes. */
export const ps = defineCommand({
  description:
    "Lists the workloads of the namespace on all nodes that answer within --timeout, sorted by name. A node shows the workloads of one namespace at a time.",
  flags: { json: jsonFlag },
  examples: ["ps", "ps --namespace=shop --json"],
  json: `[{"id": "…", "name": "echojs", "type": "v8", "namespace": "default", "node_id": "N…", "node_name": "quiet-otter",
  "uptime": "8m40s" or null, "healthy": true or null, "restarts": 0 or null,
  "last_exit": {"code": 1, "reason": "…", "time": "2024-07-03T09:46:40Z"} or null}, …]; null: the node does not tell`,
  run: async (context) => {
    const { flags, global, output } = context;
    const workloads = await withControlClient(context, listWorkloads);
    if (flags.json) output.json(workloads);
    else if (workloads.length === 0) output.line(`No workloads in namespace "${global.namespace}"`);
    else output.line(renderTable(workloadTable(workloads), output.columns));
  },
});

/** Every workload of the client's namespace, with what its node says about it. */
async function listWorkloads(client: ControlClient): Promise<ListedWorkload[]> {
  const workloads = runningWorkloads(await client.findWorkloads());
  const nodeIds = [...new Set(workloads.map(({ nodeId }) => nodeId))];
  const machines = await Promise.all(nodeIds.map((nodeId) => machinesOf(client, nodeId)));
  const byId = new Map(machines.flat().map((machine) => [machine.id, machine]));
  return workloads.map((workload) => listedWorkload(workload, byId.get(workload.id)));
}

/** A node that goes in between, or is slow, leaves gaps in the list, nothing worse. */
async function machinesOf(client: ControlClient, nodeId: string): Promise<readonly Machine[]> {
  try {
    return (await client.nodeInfo(nodeId)).machines;
  } catch (error) {
    if (error instanceof NexError) return [];
    throw error;
  }
}

function listedWorkload(
  { id, name, type, namespace, nodeId, nodeName }: RunningWorkload,
  machine: Machine | undefined,
): ListedWorkload {
  return {
    id,
    name,
    type,
    namespace,
    node_id: nodeId,
    node_name: nodeName,
    uptime: machine?.uptime ?? null,
    healthy: machine?.healthy ?? null,
    restarts: machine?.workload.restarts ?? null,
    last_exit: machine?.workload.last_exit ?? null,
  };
}

function workloadTable(workloads: readonly ListedWorkload[]): Table {
  return {
    title: "Workloads",
    headers: ["ID", "Name", "Type", "Node", "Uptime", "Restarts"],
    rows: workloads.map(({ id, name, type, node_name, uptime, restarts }) => {
      return [id, name, type, node_name, uptime ?? "-", restarts ?? "-"];
    }),
    shorten: [3, 1, 0],
  };
}
