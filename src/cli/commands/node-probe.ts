import { defineCommand, jsonFlag } from "../command.ts";
import { withControlClient } from "../connection.ts";
import { renderTable } from "../output/table.ts";
import { runningWorkloads } from "../running-workload.ts";

/** `nex node probe`: which workloads run, and where. */
export const nodeProbe = defineCommand({
  description:
    "Asks every node for its workloads in the namespace, or for one of them, and lists what is answered within --timeout.",
  flags: {
    workload: { kind: "string", placeholder: "ID_OR_NAME", help: "Only the workload of this id or name" },
    json: jsonFlag,
  },
  examples: ["node probe", "node probe --workload=echoservice"],
  json: `[{"id": "…", "name": "echoservice", "type": "native", "namespace": "default", "node_id": "N…",
  "node_name": "quiet-otter"}, …]`,
  run: async (context) => {
    const { flags, output } = context;
    const replies = await withControlClient(context, (client) => client.findWorkloads(flags.workload));
    const workloads = runningWorkloads(replies);
    if (flags.json) {
      output.json(
        workloads.map(({ nodeId: node_id, nodeName: node_name, id, name, type, namespace }) => {
          return { id, name, type, namespace, node_id, node_name };
        }),
      );
      return;
    }
    if (workloads.length === 0) {
      output.line("No workloads matched");
      return;
    }
    const table = {
      title: "Discovered Workloads",
      headers: ["ID", "Name", "Type", "Namespace", "Node Name"],
      rows: workloads.map(({ id, name, type, namespace, nodeName }) => [id, name, type, namespace, nodeName]),
      shorten: [4, 1, 3, 0],
    };
    output.line(renderTable(table, output.columns));
  },
});
