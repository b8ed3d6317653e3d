import { createDeployment } from "../../src/control-api/deploy-order.ts";
import { encodeDeployRequest } from "../../src/control-api/deploy.ts";
import { createSigningKey } from "../../src/control-api/keys.ts";
import type { SigningKey } from "../../src/control-api/keys.ts";
import { createSealingKey } from "../../src/control-api/sealing-key.ts";
import { encodeToken } from "../../src/control-api/token.ts";
import { fuzzedMessage, mutateJson } from "./mutate.ts";
import type { Json } from "./mutate.ts";
import type { RandomSource } from "./random-source.ts";

/** The node that is shot at. */
export interface FuzzTarget {
  readonly nodeId: string;
  readonly xkey: string;
  /** A workload that must survive: its id and name, whose issuer nobody here has. */
  readonly survivor: { readonly id: string; readonly name: string };
}

/** One message to publish. */
export interface FuzzMessage {
  readonly subject: string;
  readonly body: Uint8Array;
}

/** Makes messages for every control, event and log subject of a node; deploys and stops carry valid signatures. */
export async function createControlFuzz(
  { nodeId, xkey, survivor }: FuzzTarget,
  random: RandomSource,
): Promise<() => FuzzMessage> {
  const issuer = createSigningKey("account");
  const longName = "n".repeat(5000);
  const deploy = await validDeploy(nodeId, xkey, issuer);
  const stop = (): Json => ({
    workload_id: random.pick([survivor.id, "unknown", ""]),
    workload_jwt: signed(random, issuer, random.pick([survivor.name, "fuzz", ""])),
    target_node: nodeId,
  });
  const auction: Json = {
    arch: "amd64",
    os: "linux",
    sandboxed: false,
    tags: { a: "b" },
    workload_types: ["v8"],
  };
  const event: Json = {
    specversion: "1.0",
    id: "1",
    type: "heartbeat",
    source: nodeId,
    data: { node_id: nodeId },
  };
  const log: Json = { text: "line", level: "INFO", id: survivor.id };
  const namespace = (): string => random.pick(["default", "💥", "$SYS", "x".repeat(200), "system"]);
  const kinds: readonly [() => readonly [string, Json], ...(() => readonly [string, Json])[]] = [
    () => ["$NEX.AUCTION", auction],
    () => ["$NEX.PING", {}],
    () => [`$NEX.PING.${nodeId}`, {}],
    () => [`$NEX.WPING.${namespace()}`, {}],
    () => [`$NEX.WPING.${namespace()}.${random.pick([survivor.name, survivor.id, "a.b.c"])}`, {}],
    () => [`$NEX.INFO.${namespace()}.${nodeId}`, {}],
    () => [`$NEX.DEPLOY.${namespace()}.${nodeId}`, deploy],
    () => [
      `$NEX.DEPLOY.default.${nodeId}`,
      { ...deploy, workload_jwt: signed(random, issuer, random.pick(["fuzz", longName])) },
    ],
    () => [`$NEX.STOP.${namespace()}.${nodeId}`, stop()],
    () => [`$NEX.STOP.default.${nodeId}`, stop()],
    () => ["$NEX.LAMEDUCK.another", {}],
    () => [`$NEX.events.${namespace()}.heartbeat`, event],
    () => [`$NEX.logs.${namespace()}.${nodeId}.${survivor.name}.${survivor.id}`, log],
    () => [`$SRV.${random.pick(["PING", "INFO", "STATS"])}.nex-node`, {}],
    () => [`$NEX.${Buffer.from(random.bytes(8)).toString("hex")}`, {}],
  ];
  return () => {
    const [subject, valid] = random.pick(kinds)();
    return { subject, body: fuzzedMessage(random, valid) };
  };
}

/** A deploy that would be accepted, if its artifact existed. */
async function validDeploy(
  nodeId: string,
  xkey: string,
  issuer: SigningKey,
): Promise<{ readonly [key: string]: Json }> {
  const { request } = await createDeployment(
    {
      nodeId,
      workloadName: "fuzz",
      workloadType: "v8",
      location: "nats://NOSUCHBUCKET/fuzz",
      issuer,
      publisher: createSealingKey(),
      environment: { GREETING: "hi" },
      description: "fuzz",
      triggerSubjects: ["fuzz.trigger"],
      arguments: ["one"],
    },
    async () => xkey,
  );
  return JSON.parse(new TextDecoder().decode(encodeDeployRequest(request))) as {
    readonly [key: string]: Json;
  };
}

/** A token with a good signature over claims that may be mutated. */
function signed(random: RandomSource, issuer: SigningKey, subject: string): string {
  const custom = { hash: "0".repeat(64), version: 2, workload_id: "x" } as const;
  const mutated = Object.entries(custom).map(([key, value]) => [key, mutateJson(random, value)]);
  return encodeToken({
    issuer,
    subject,
    issuedAt: Math.floor(Date.now() / 1000) + random.pick([0, -100, 1, -1e9, 1e9, 0.5]),
    custom: random.chance(0.5) ? Object.fromEntries(mutated) : custom,
  });
}
