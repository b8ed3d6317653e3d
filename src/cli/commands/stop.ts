import type { ControlClient, StopOrder, StopReply } from "../../control-api/index.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { timeoutMs, withControlClient } from "../connection.ts";
import { STOP_MS } from "../devrun/deploy-file.ts";
import { readIssuerFile } from "../key-file.ts";
import { Refusal } from "../refusal.ts";
import { asRefusal } from "../refusal-reason.ts";
import { resolveNodeId } from "../resolve-node.ts";

/** `nex stop`: ends a workload. */
export const stop = defineCommand({
  description:
    "Stops a workload. Only the issuer that deployed it may do so; devrun signs with ~/.nex/issuer.nk.",
  arguments: {
    id: { help: "Id of the node, the beginning of one, or a node's name" },
    workload_id: { help: "Id of the workload, as devrun and node info show it" },
  },
  flags: {
    name: { kind: "string", required: true, help: "Name of the workload" },
    issuer: { kind: "file", required: true, help: "File with the seed of the issuer key that deployed it" },
    json: jsonFlag,
  },
  examples: ["stop NBXHUHG5 cpv0k3752omq9k2v7g10 --name=echojs --issuer=$HOME/.nex/issuer.nk"],
  json: '{"node_id": "N…", "workload_id": "…", "name": "echojs", "stopped": true}',
  run: async (context) => {
    const { flags, output } = context;
    const issuer = await readIssuerFile(flags.issuer);
    await withControlClient(context, async (client) => {
      const nodeId = await resolveNodeId(client, context.arguments.id);
      const { id: workload_id, name } = await stopWorkload(client, {
        nodeId,
        workloadId: context.arguments.workload_id,
        workloadName: flags.name,
        issuer,
        timeoutMs: context.sources["timeout"] === "default" ? STOP_MS : timeoutMs(context.global),
      });
      if (flags.json) output.json({ node_id: nodeId, workload_id, name, stopped: true });
      else output.line(`✅ Workload '${name}' stopped.`);
    });
  },
});

async function stopWorkload(client: ControlClient, order: StopOrder): Promise<StopReply> {
  try {
    const reply = await client.stop(order);
    if (reply.stopped) return reply;
  } catch (error) {
    throw asRefusal(error, (reason) => `⛔ Workload stop request failed: ${reason}`);
  }
  throw new Refusal("⛔ Workload failed to stop");
}
