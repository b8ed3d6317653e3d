import { createHash } from "node:crypto";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { createControlClient } from "../../src/control-api/control-client.ts";
import type { ControlClient } from "../../src/control-api/control-client.ts";
import type { DeployOrder } from "../../src/control-api/deploy-order.ts";
import type { DeployReply } from "../../src/control-api/deploy.ts";
import { createSigningKey } from "../../src/control-api/keys.ts";
import type { SigningKey } from "../../src/control-api/keys.ts";
import { createSealingKey } from "../../src/control-api/sealing-key.ts";
import type { SealingKey } from "../../src/control-api/sealing-key.ts";
import type { StopReply } from "../../src/control-api/stop.ts";

/** Short form of a deploy: the artifact is uploaded first. */
export type TestDeploy = { readonly name: string; readonly artifact: string | Uint8Array } & Partial<
  Omit<DeployOrder, "workloadName" | "nodeId" | "location">
>;

/** Who deploys to one node, as the command line does. */
export interface Deployer {
  readonly client: ControlClient;
  readonly issuer: SigningKey;
  readonly publisher: SealingKey;
  upload(name: string, artifact: string | Uint8Array): Promise<string>;
  deploy(order: TestDeploy): Promise<DeployReply>;
  stop(workloadId: string, workloadName: string): Promise<StopReply>;
}

export function createDeployer(options: {
  readonly connection: NatsConnection;
  readonly nodeId: string;
  readonly namespace?: string | undefined;
}): Deployer {
  const { connection, nodeId, namespace } = options;
  const client = createControlClient({
    connection,
    timeoutMs: 20_000,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const issuer = createSigningKey("account");
  const publisher = createSealingKey();
  const upload = async (name: string, artifact: string | Uint8Array): Promise<string> => {
    const store = await new Objm(connection).create("NEXCLIFILES");
    await store.putBlob(
      { name },
      typeof artifact === "string" ? new TextEncoder().encode(artifact) : artifact,
    );
    return `nats://NEXCLIFILES/${name}`;
  };
  return {
    client,
    issuer,
    publisher,
    upload,
    deploy: async ({ name, artifact, ...order }) =>
      client.deploy({
        workloadType: "native",
        issuer,
        publisher,
        hash: createHash("sha256").update(artifact).digest("hex"),
        ...order,
        nodeId,
        workloadName: name,
        location: await upload(name, artifact),
      }),
    stop: async (workloadId, workloadName) => client.stop({ nodeId, workloadId, workloadName, issuer }),
  };
}
