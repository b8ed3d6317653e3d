// The checks of a deploy request: every text of protocol section 2.7 that a client can see, and their order.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { createDeployToken } from "../../src/control-api/claims.ts";
import { createSigningKey } from "../../src/control-api/keys.ts";
import { sealEnvironment } from "../../src/control-api/sealed-environment.ts";
import { createSealingKey } from "../../src/control-api/sealing-key.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";

type Request = Record<string, unknown>;

const issuer = createSigningKey("account");
const stranger = createSigningKey("account");
const publisher = createSealingKey();
let nats: TestNats;
let it: TestNode;
let limited: TestNode;

before(async () => {
  nats = await startNats();
  [it, limited] = await Promise.all([
    startTestNode({
      nats,
      configuration: {
        workload_types: ["native", "v8"],
        deny_trigger_subjects: ["private.*"],
        valid_issuers: [issuer.publicKey],
      },
    }),
    startTestNode({
      nats,
      configuration: { node_limits: { max_workload_bytes: 100, max_total_bytes: 120, max_workloads: 2 } },
    }),
  ]);
});
after(async () => {
  await Promise.all([it[Symbol.asyncDispose](), limited[Symbol.asyncDispose]()]);
  await nats[Symbol.asyncDispose]();
});

function good(change: Request = {}, node: TestNode = it): Request {
  return {
    description: "",
    type: "native",
    location: { Scheme: "nats", Host: "NEXCLIFILES", Path: "/missing" },
    workload_jwt: createDeployToken({ issuer, workloadName: "checked" }),
    environment: sealEnvironment({ environment: {}, sender: publisher, recipient: node.node.publicXkey }),
    sender_public_key: publisher.publicKey,
    target_node: node.node.nodeId,
    ...change,
  };
}

async function send(body: string | Request, { node = it, namespace = "default" } = {}): Promise<string> {
  const reply = await it.connection.request(
    `$NEX.DEPLOY.${namespace}.${node.node.nodeId}`,
    typeof body === "string" ? body : JSON.stringify(body),
    { timeout: 10_000 },
  );
  const envelope = reply.json<{ type: string; data: unknown; error?: string }>();
  assert.equal(envelope.type, "io.nats.nex.v1.run_response");
  if (envelope.error !== undefined) assert.equal(envelope.data, "");
  return envelope.error ?? "";
}

const nowSeconds = Math.floor(Date.now() / 1000);
const cases: readonly [title: string, body: () => string | Request, error: RegExp | string][] = [
  ["nothing", () => "", /^Unable to deserialize deploy request: /],
  ["text", () => "hello", /^Unable to deserialize deploy request: /],
  ["null", () => "null", /^Unable to deserialize deploy request: /],
  ["a list", () => "[]", /^Unable to deserialize deploy request: /],
  ["a wrong type", () => good({ type: 7 }), /^Unable to deserialize deploy request: .*type/],
  [
    "no environment",
    () => good({ environment: null }),
    /^Unable to deserialize deploy request: .*environment/,
  ],
  [
    "no sender",
    () => good({ sender_public_key: null }),
    /^Unable to deserialize deploy request: .*sender_public_key/,
  ],
  [
    "no token",
    () => good({ workload_jwt: undefined }),
    /^Unable to deserialize deploy request: .*workload_jwt/,
  ],
  ["no location", () => good({ location: null }), /^Unable to deserialize deploy request: .*location/],
  [
    "another node",
    () => good({ target_node: "NOTHER" }),
    "Unable to deserialize deploy request: target node mismatch",
  ],
  ["a type that is off", () => good({ type: "wasm" }), "Unsupported workload type on this node: wasm"],
  ["an unknown type", () => good({ type: "oci" }), "Unsupported workload type on this node: oci"],
  [
    "triggers of a service",
    () => good({ trigger_subjects: ["a"] }),
    "Unsupported workload type for trigger subject registration: native",
  ],
  [
    "a denied trigger",
    () => good({ type: "v8", trigger_subjects: ["fine", "private.x"] }),
    "The trigger subject private.x overlaps with subject(s) in this node's deny list",
  ],
  [
    "a trigger on everything",
    () => good({ type: "v8", trigger_subjects: [">"] }),
    "The trigger subject > overlaps with subject(s) in this node's deny list",
  ],
  [
    "no base64",
    () => good({ environment: "%" }),
    "Failed to decrypt environment for deploy request: illegal base64 data at input byte 0",
  ],
  [
    "an environment for somebody else",
    () =>
      good({
        environment: sealEnvironment({
          environment: {},
          sender: publisher,
          recipient: createSealingKey().publicKey,
        }),
      }),
    "Failed to decrypt environment for deploy request: nkeys: could not decrypt input",
  ],
  [
    "no token at all",
    () => good({ workload_jwt: "abc" }),
    "Invalid deploy request: could not decode workload JWT: expected 3 chunks",
  ],
  [
    "a token with a changed signature",
    () => good({ workload_jwt: createDeployToken({ issuer, workloadName: "x" }).replace(/.{4}$/, "AAAA") }),
    "Invalid deploy request: could not decode workload JWT: claim failed V2 signature verification",
  ],
  [
    "an old token",
    () =>
      good({ workload_jwt: createDeployToken({ issuer, workloadName: "x", issuedAt: nowSeconds - 4000 }) }),
    "Invalid deploy request: standard claims within JWT are not valid",
  ],
  [
    "an unknown issuer",
    () => good({ workload_jwt: createDeployToken({ issuer: stranger, workloadName: "x" }) }),
    `invalid workload issuer: ${stranger.publicKey}`,
  ],
  [
    "no bucket",
    () => good({ location: { Scheme: "nats", Host: "NOBUCKET", Path: "/x" } }),
    "Failed to cache workload bytes: nats: stream not found",
  ],
];

for (const [title, body, error] of cases) {
  test(`a deploy with ${title} is refused with its text`, async () => {
    const answer = await send(body());
    if (typeof error === "string") assert.equal(answer, error);
    else assert.match(answer, error);
  });
}

test("a deploy of an object that does not exist is refused, and the agent goes back to the pool", async () => {
  await it.upload("present", "x");
  for (let i = 0; i < 3; i++) {
    assert.equal(await send(good()), "Failed to cache workload bytes: nats: object not found");
  }
  assert.equal(
    (await it.client.listNodes({ timeoutMs: 300 })).find(({ node_id: id }) => id === it.node.nodeId)
      ?.running_machines,
    0,
  );
});

test("the first check that fails is the one that is answered", async () => {
  const worst = good({
    type: "wasm",
    trigger_subjects: [">"],
    environment: "%",
    workload_jwt: createDeployToken({ issuer: stranger, workloadName: "x" }),
  });
  assert.equal(await send(worst), "Unsupported workload type on this node: wasm");
  assert.match(await send({ ...worst, type: "v8" }), /^The trigger subject > overlaps/);
  assert.match(
    await send({ ...worst, type: "v8", trigger_subjects: ["a"] }),
    /^Failed to decrypt environment/,
  );
});

test("a hash claim that is not the artifact's is refused; one that is no SHA-256 is ignored", async () => {
  const location = await it.upload("hashed", "#!/bin/sh\nexec /bin/sleep 1000\n");
  const wrong = createHash("sha256").update("something else").digest("hex");
  const token = (hash: string): string => createDeployToken({ issuer, workloadName: "hashed", hash });
  assert.match(await send(good({ location, workload_jwt: token(wrong) })), /the artifact's hash differs/);
  assert.equal(await send(good({ location, workload_jwt: token("abc12345TODOmakethisreal") })), "");
});

test("limits are checked on the size the store reports, deploys under way counted", async () => {
  const sleep = "#!/bin/sh\nexec /bin/sleep 1000\n";
  const small = await limited.upload("small", sleep);
  const order = (location: string): Request => good({ location }, limited);
  const big = await limited.upload("big", sleep.padEnd(101));
  assert.equal(await send(order(big), { node: limited }), "Workload file size would exceed node limitations");
  const medium = await limited.upload("medium", sleep.padEnd(95));
  assert.equal(await send(order(small), { node: limited }), "");
  assert.equal(
    await send(order(medium), { node: limited }),
    "Workload file size would exceed node total limitations",
  );
  const answers = await Promise.all([1, 2, 3].map(async () => send(order(small), { node: limited })));
  assert.deepEqual(answers.toSorted(), [
    "",
    "Node is at maximum workload limit. Deploy request denied",
    "Node is at maximum workload limit. Deploy request denied",
  ]);
  assert.deepEqual(
    await limited.client.auction({}, { timeoutMs: 300 }).then((all) => all.map(({ node_id: id }) => id)),
    [it.node.nodeId],
  );
});

test("in lame duck mode deploys are refused before anything else, and auctions go unanswered", async () => {
  await using duck = await startTestNode({ nats });
  assert.deepEqual(
    { ...(await duck.client.enterLameDuck(duck.node.nodeId)) },
    { node_id: duck.node.nodeId, success: true },
  );
  assert.equal(
    await send("garbage", { node: duck }),
    "Node is in lame duck mode. Workload deploy request denied",
  );
  const nodes = await duck.client.listNodes({ timeoutMs: 300 });
  assert.equal(nodes.find(({ node_id: id }) => id === duck.node.nodeId)?.tags?.["nex.lameduck"], "true");
  const offers = await duck.client.auction({}, { timeoutMs: 300 });
  assert.ok(offers.every(({ node_id: id }) => id !== duck.node.nodeId));
});
