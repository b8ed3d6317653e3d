import type { NatsConnection } from "@nats-io/transport-node";
import { subjects } from "../control-api/subjects.ts";
import { NexError } from "../lib/errors.ts";

const ANSWER_MS = 1000;

/**
 * Makes sure that no other node answers under an id that is kept in a file: two would both take every request.
 *
 * @throws {NexError} `NODE_RUNNING`
 */
export async function checkUnique(connection: NatsConnection, nodeId: string): Promise<void> {
  const isTaken = await connection.request(subjects.ping(nodeId), undefined, { timeout: ANSWER_MS }).then(
    () => true,
    () => false,
  );
  if (!isTaken) return;
  throw new NexError({
    code: "NODE_RUNNING",
    message: `Cannot start the node: a node with the id "${nodeId}" runs already`,
    hint: "Give each node a seed file of its own, or none",
  });
}
