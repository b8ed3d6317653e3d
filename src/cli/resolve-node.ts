import type { ControlClient, PingReply } from "../control-api/index.ts";
import { NexError } from "../lib/errors.ts";

const NODE_ID = /^N[A-Z2-7]{55}$/;

/**
 * The id of the node that `text` means: an id, the unique beginning of one, or a node's name (tag `node_name`).
 *
 * @throws {NexError} `NODE_NOT_FOUND`, `NODE_AMBIGUOUS`
 */
export async function resolveNodeId(client: ControlClient, text: string): Promise<string> {
  if (NODE_ID.test(text)) return text;
  const nodes = await client.listNodes();
  const named = nodes.filter((node) => node.tags?.["node_name"] === text);
  const found = named.length > 0 ? named : nodes.filter((node) => isBeginning(text, node));
  const [only] = found;
  if (only === undefined) {
    throw new NexError({
      code: "NODE_NOT_FOUND",
      message:
        nodes.length === 0
          ? `No node "${text}": no nodes discovered`
          : `No node "${text}" among ${nodes.length}`,
      hint:
        nodes.length === 0
          ? 'Start one with "nex node up", and see that both use the same NATS server'
          : 'List the nodes with "nex node ls"',
    });
  }
  if (found.length > 1) {
    const ids = found.map((node) => `  ${node.node_id}`).join("\n");
    throw new NexError({
      code: "NODE_AMBIGUOUS",
      message: `"${text}" means ${found.length} nodes:\n${ids}`,
      hint: "Give a longer beginning of the id",
    });
  }
  return only.node_id;
}

function isBeginning(text: string, node: PingReply): boolean {
  return text !== "" && node.node_id.startsWith(text.toUpperCase());
}
