import type { ControlClient, LameDuckRequest } from "../../control-api/index.ts";
import { usageError } from "../arguments/usage-error.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { withControlClient } from "../connection.ts";
import { Refusal } from "../refusal.ts";
import { asRefusal } from "../refusal-reason.ts";
import { resolveNodeId } from "../resolve-node.ts";

/** `nex lameduck`: a node takes no more workloads. */
export const lameduck = defineCommand({
  description:
    "Puts a node into lame duck mode: it takes no more workloads, and those that run go on. There is no way back; a restarted node takes workloads again.",
  arguments: { id: { help: "Id of the node, the beginning of one, or a node's name" } },
  flags: {
    "exit-when-idle": { kind: "boolean", help: "The node ends by itself once no workload is left" },
    delay: { kind: "duration", help: "With --exit-when-idle: how long the node stays at least" },
    json: jsonFlag,
  },
  examples: ["lameduck quiet-otter", "lameduck NBXHUHG5 --exit-when-idle --delay=10s"],
  json: '{"node_id": "N…", "success": true}',
  run: async (context) => {
    const { flags, output } = context;
    if (flags.delay !== undefined && !flags["exit-when-idle"]) {
      throw usageError("flag '--delay' needs --exit-when-idle");
    }
    const request: LameDuckRequest = {
      ...(flags["exit-when-idle"] ? { exit_when_idle: true } : {}),
      ...(flags.delay === undefined ? {} : { delay_ms: Math.ceil(flags.delay) }),
    };
    await withControlClient(context, async (client) => {
      const node_id = await resolveNodeId(client, context.arguments.id);
      await enterLameDuck(client, node_id, request);
      if (flags.json) output.json({ node_id, success: true });
      else output.line(`Command to enter lame duck mode issued to ${node_id}`);
    });
  },
});

async function enterLameDuck(client: ControlClient, nodeId: string, request: LameDuckRequest): Promise<void> {
  const failed = (reason: string): string => `Failed to issue lame duck command: ${reason}`;
  try {
    const { success } = await client.enterLameDuck(nodeId, request);
    if (success) return;
  } catch (error) {
    throw asRefusal(error, failed);
  }
  throw new Refusal(failed("the node did not do it"));
}
