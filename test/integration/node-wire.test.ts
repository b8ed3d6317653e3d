// What a node answers to PING, AUCTION, WPING, INFO, STOP and LAMEDUCK, byte for byte where the protocol fixes it:
// shapes, silence, texts in their order, unknown and missing fields. DEPLOY has node-deploy-checks.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createStopToken } from "../../src/control-api/claims.ts";
import { createSigningKey } from "../../src/control-api/keys.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";

let it: TestNode;
let id: string;

before(async () => {
  it = await startTestNode({ configuration: { tags: { node_name: "wire", Region: "eu" } } });
  ({ id } = await it.deploy({
    name: "Steady",
    artifact: "#!/bin/sh\nexec /bin/sleep 1000\n",
    description: "d",
  }));
});
after(async () => it?.[Symbol.asyncDispose]());

interface Envelope {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

async function ask(subject: string, body: unknown = ""): Promise<Envelope> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return (await it.connection.request(subject, text, { timeout: 5000 })).json<Envelope>();
}

/** Whether a request gets no answer: one to PING behind it is answered first, as a node works in order of arrival. */
async function staysSilent(subject: string, body: unknown): Promise<boolean> {
  let answers = 0;
  const inbox = `silence.${Math.random()}`;
  const subscription = it.connection.subscribe(inbox, {
    callback: () => (answers += 1) as unknown as undefined,
  });
  it.connection.publish(subject, typeof body === "string" ? body : JSON.stringify(body), { reply: inbox });
  for (let i = 0; i < 3; i++) await ask(`$NEX.PING.${it.node.nodeId}`);
  subscription.unsubscribe();
  return answers === 0;
}

const pingData = (): Record<string, unknown> => ({
  node_id: it.node.nodeId,
  nexus: "nexus",
  version: "0.2.7",
  uptime: "text",
  target_xkey: it.node.publicXkey,
  tags: "tags",
  running_machines: 1,
});

/** Replaces what differs from run to run by what kind of thing it is. */
function normalized(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { uptime, tags } = data as { uptime: unknown; tags: Record<string, unknown> };
  assert.match(String(uptime), /^(\d+m)?\d+s$/);
  assert.ok(Object.values(tags).every((value) => typeof value === "string"));
  assert.equal(tags["nex.unsafe"], "true");
  assert.equal(tags["Region"], "eu");
  return { ...data, uptime: "text", tags: "tags" };
}

test("PING answers on both subjects, whatever its body, with all fields of the protocol", async () => {
  for (const [subject, body] of [
    ["$NEX.PING", ""],
    [`$NEX.PING.${it.node.nodeId}`, "null"],
    ["$NEX.PING", "{not json"],
  ] as const) {
    const { type, data, ...rest } = await ask(subject, body);
    assert.equal(type, "io.nats.nex.v1.ping_response");
    assert.deepEqual(normalized(data), pingData());
    assert.deepEqual(rest, {});
  }
});

describe("AUCTION", () => {
  const answered: readonly unknown[] = [
    "",
    "null",
    "no json",
    "[]",
    {},
    { unknown: 1 },
    { arch: null, tags: null, workload_types: null },
    { ARCH: process.arch === "x64" ? "AMD64" : process.arch },
    { os: process.platform.toUpperCase(), workload_types: ["native", "v8", "wasm"] },
    { sandboxed: false, tags: { Region: "EU", node_name: "WIRE" } },
    // A wrong type makes the body unparsable, which means no conditions.
    { os: 7, arch: "vax" },
  ];
  for (const body of answered) {
    test(`with ${JSON.stringify(body)} is answered`, async () => {
      const { type, data } = await ask("$NEX.AUCTION", body);
      assert.equal(type, "io.nats.nex.v1.auction_response");
      assert.deepEqual(normalized(data), pingData());
    });
  }
  const silent: readonly unknown[] = [
    { arch: "vax" },
    { os: "plan9" },
    { sandboxed: true },
    { tags: { Region: "us" } },
    { tags: { region: "eu" } },
    { workload_types: ["native", "oci"] },
  ];
  for (const body of silent) {
    test(`with ${JSON.stringify(body)} is not answered`, async () => {
      assert.ok(await staysSilent("$NEX.AUCTION", body));
    });
  }
});

describe("WPING", () => {
  for (const tokens of ["default", "DEFAULT", "default.steady", "default.STEADY.more.tokens", "default.ID"]) {
    test(`${tokens} is answered with the workload`, async () => {
      const { type, data } = await ask(`$NEX.WPING.${tokens.replace("ID", id)}`);
      assert.equal(type, "io.nats.nex.v1.ping_response");
      const { nexus: _nexus, ...expected } = pingData();
      const summary = { id, namespace: "default", name: "Steady", type: "native" };
      assert.deepEqual(normalized(data), { ...expected, running_machines: [summary] });
    });
  }
  for (const tokens of ["elsewhere", "default.other", "elsewhere.steady"]) {
    test(`${tokens} is not answered`, async () => {
      assert.ok(await staysSilent(`$NEX.WPING.${tokens}`, ""));
    });
  }
});

test("INFO has the machines of its namespace only, a list also when there are none", async () => {
  const { type, data } = await ask(`$NEX.INFO.Default.${it.node.nodeId}`, "whatever");
  assert.equal(type, "io.nats.nex.v1.info_response");
  const { memory, machines, isolation, ...rest } = normalized(data);
  assert.match(String(isolation), /^child process \(/);
  assert.deepEqual(rest, {
    version: "0.2.7",
    uptime: "text",
    public_xkey: it.node.publicXkey,
    tags: "tags",
    supported_workload_types: ["native", "v8", "wasm"],
  });
  if (process.platform === "linux") {
    assert.deepEqual(Object.keys(memory as object), ["total", "free", "available"]);
    assert.ok(Object.values(memory as object).every(Number.isInteger));
  }
  const [machine] = machines as { workload: Record<string, unknown>; uptime: string }[];
  assert.deepEqual(
    { ...machine, uptime: "text", workload: { ...machine?.workload, runtime: "text" } },
    {
      id,
      healthy: true,
      uptime: "text",
      namespace: "default",
      workload: {
        name: "Steady",
        description: "d",
        runtime: "text",
        type: "native",
        hash: machine?.workload["hash"],
        essential: false,
        restarts: 0,
      },
    },
  );
  assert.match(String(machine?.workload["hash"]), /^[0-9a-f]{64}$/);
  assert.deepEqual((await ask(`$NEX.INFO.elsewhere.${it.node.nodeId}`)).data["machines"], []);
});

describe("STOP", () => {
  const stranger = createSigningKey("account");
  const token = (change: object = {}): string =>
    createStopToken({ issuer: it.issuer, workloadName: "Steady", ...change });
  const cases: readonly [title: string, body: () => unknown, error: RegExp, namespace?: string][] = [
    ["nothing", () => "", /^Unable to deserialize stop request: /],
    ["a list", () => "[]", /^Unable to deserialize stop request: /],
    [
      "a number as id",
      () => ({ workload_id: 1, workload_jwt: token() }),
      /^Unable to deserialize stop request: .*workload_id/,
    ],
    ["no token", () => ({ workload_id: id }), /^Unable to deserialize stop request: .*workload_jwt/],
    [
      "another node",
      () => ({ workload_id: id, workload_jwt: token(), target_node: "NOTHER" }),
      /^Unable to deserialize stop request: target node mismatch$/,
    ],
    [
      "an unknown id, before its token is looked at",
      () => ({ workload_id: "x", workload_jwt: "x" }),
      /^No such workload$/,
    ],
    [
      "another namespace",
      () => ({ workload_id: id, workload_jwt: token() }),
      /^No such workload$/,
      "elsewhere",
    ],
    [
      "no JWT",
      () => ({ workload_id: id, workload_jwt: "x" }),
      /^Invalid stop request: could not decode workload JWT: expected 3 chunks$/,
    ],
    [
      "a token from before the deploy",
      () => ({ workload_id: id, workload_jwt: token({ issuedAt: 1_720_000_000 }) }),
      /^Invalid stop request: stop claims appear to be cloned or captured/,
    ],
    [
      "another name, and another issuer",
      () => ({ workload_id: id, workload_jwt: token({ workloadName: "other", issuer: stranger }) }),
      /^Invalid stop request: stop claims subject does not match original start claims subject$/,
    ],
    [
      "another issuer",
      () => ({ workload_id: id, workload_jwt: token({ issuer: stranger }) }),
      /^Invalid stop request: the only entity allowed to terminate a workload is the issuer that originally started it$/,
    ],
  ];
  for (const [title, body, error, namespace = "default"] of cases) {
    test(`with ${title} is refused with its text`, async () => {
      const answer = await ask(`$NEX.STOP.${namespace}.${it.node.nodeId}`, body());
      assert.equal(answer.type, "io.nats.nex.v1.stop_response");
      assert.equal(answer.data, "");
      assert.match(answer.error ?? "", error);
    });
  }

  test("with unknown fields and without a target node stops the workload", async () => {
    const body = { Workload_ID: id, workload_jwt: token(), unknown: { deep: [] } };
    assert.deepEqual(await ask(`$NEX.STOP.default.${it.node.nodeId}`, body), {
      type: "io.nats.nex.v1.stop_response",
      data: { stopped: true, id, issuer: it.issuer.publicKey, name: "Steady" },
    });
  });
});

test("LAMEDUCK answers, also the second time", async () => {
  for (const body of ["", "no json"]) {
    assert.deepEqual(await ask(`$NEX.LAMEDUCK.${it.node.nodeId}`, body), {
      type: "io.nats.nex.v1.lameduck_response",
      data: { node_id: it.node.nodeId, success: true },
    });
  }
  assert.equal(((await ask("$NEX.PING")).data["tags"] as Record<string, string>)["nex.lameduck"], "true");
});
