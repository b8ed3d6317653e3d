import type { InfoReply, Machine } from "../../control-api/index.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { withControlClient } from "../connection.ts";
import { renderNodeReport } from "../node-report.ts";
import type { NodeReportForm } from "../node-report.ts";
import { resolveNodeId } from "../resolve-node.ts";

/** A node as `nex node info --json` prints it. */
export interface NodeInformation extends Omit<InfoReply, "public_xkey" | "machines" | "memory"> {
  readonly node_id: string;
  readonly xkey: string;
  /** In kB; null where the node does not know. */
  readonly memory: InfoReply["memory"] | null;
  readonly workloads: readonly (Omit<Machine, "workload"> & Machine["workload"])[];
}

/** `nex node info`: one node and its workloads in a namespace. */
export const nodeInfo = defineCommand({
  description:
    "Shows a node, its memory, and its workloads in the namespace. The node is given by its id, the beginning of it, or its name.",
  arguments: { id: { help: "Id of the node, the beginning of one, or a node's name" } },
  flags: {
    full: {
      kind: "boolean",
      help: "Also show namespace, type, hash, trigger subjects and restarts of each workload",
    },
    table: { kind: "boolean", help: "Show the workloads as a table" },
    json: jsonFlag,
  },
  examples: ["node info quiet-otter", "node info NBXHUHG5 --full"],
  json: `{"node_id": "N…", "xkey": "X…", "version": "0.2.7", "uptime": "8m47s", "tags": {…},
  "memory": {"total": 63883232, "free": 33545884, "available": 56529348} or null (kB),
  "supported_workload_types": ["native", …], "isolation": "child process (…)" (both where the node tells them),
  "workloads": [{"id": "…", "healthy": true, "uptime": "8m40s", "namespace": "default", "name": "echo",
    "description": "…", "runtime": "12ms", "type": "v8", "hash": "…",
    "essential": false, "restarts": 0, "last_exit": {"code": 1, "reason": "…", "time": "…"},
    "trigger_subjects": ["js.echo", …], "fresh": false, "concurrency": 2, "instances": 1}, …]}; what follows
  the hash only where the node tells them`,
  run: async (context) => {
    const { flags, output } = context;
    await withControlClient(context, async (client) => {
      const nodeId = await resolveNodeId(client, context.arguments.id);
      const info = await client.nodeInfo(nodeId);
      if (flags.json) output.json(nodeInformation(nodeId, info));
      else output.line(renderNodeReport(nodeId, info, { form: form(flags), columns: output.columns }));
    });
  },
});

function form(flags: { readonly full: boolean; readonly table: boolean }): NodeReportForm {
  if (flags.table) return "table";
  return flags.full ? "full" : "list";
}

function nodeInformation(nodeId: string, info: InfoReply): NodeInformation {
  const { public_xkey: xkey, machines, memory, version, uptime, tags, ...rest } = info;
  return {
    node_id: nodeId,
    xkey,
    version,
    uptime,
    tags: tags ?? {},
    memory: memory ?? null,
    ...rest,
    workloads: machines.map(({ workload, ...machine }) => ({ ...machine, ...workload })),
  };
}
