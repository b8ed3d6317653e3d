import { createControlClient } from "../../src/control-api/control-client.ts";
import { createSigningKey } from "../../src/control-api/keys.ts";
import { createSealingKey } from "../../src/control-api/sealing-key.ts";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { startNex } from "../support/run-nex.ts";
import type { RunningNex } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import { until } from "../support/until.ts";
import type { FuzzTarget } from "./control-messages.ts";

/** Subject of the function that runs beside. */
export const SURVIVOR_SUBJECT = "fuzz.survivor";

export interface FuzzNode extends AsyncDisposable {
  readonly connection: NatsConnection;
  readonly nex: RunningNex;
  readonly target: FuzzTarget;
}

/** A `nex node up` in a process of its own, with a function that answers `1`. */
export async function startFuzzNode(): Promise<FuzzNode> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const nex = stack.use(
    await startNex(["node", "up", "--no-sandbox", "--loglevel=warn"], { env: { NATS_URL: nats.url } }),
  );
  const connection = await nats.connect();
  const client = createControlClient({ connection, timeoutMs: 10_000 });
  const [node] = await waitForNode(client);
  const store = await new Objm(connection).create("NEXCLIFILES");
  await store.putBlob({ name: "survivor" }, new TextEncoder().encode("() => 1"));
  const { id } = await client.deploy({
    nodeId: node.node_id,
    workloadName: "survivor",
    workloadType: "v8",
    location: "nats://NEXCLIFILES/survivor",
    triggerSubjects: [SURVIVOR_SUBJECT],
    issuer: createSigningKey("account"),
    publisher: createSealingKey(),
  });
  const resources = stack.move();
  return {
    connection,
    nex,
    target: { nodeId: node.node_id, xkey: node.target_xkey ?? "", survivor: { id, name: "survivor" } },
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  };
}

type Client = ReturnType<typeof createControlClient>;
type Found = Awaited<ReturnType<Client["listNodes"]>>[number];

async function waitForNode(client: Client): Promise<readonly [Found]> {
  // Without a node there is nobody to answer, and that is known at once.
  const node = await until(async () => {
    const [found] = await client.listNodes({ timeoutMs: 500, enough: (nodes) => nodes.length > 0 });
    return found;
  });
  if (node === undefined) throw new Error("The node did not come up");
  return [node];
}
