import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAuctionRequest, parseAuctionRequest } from "./auction.ts";
import { encodeDeployReply, encodeDeployRequest, parseDeployReply, parseDeployRequest } from "./deploy.ts";
import { ControlRefusedError, encodeFailure, encodeReply, parseReply, RESPONSE_TYPES } from "./envelope.ts";
import { encodeInfoReply, parseInfoReply } from "./info.ts";
import {
  encodeLameDuckReply,
  encodeLameDuckRequest,
  parseLameDuckReply,
  parseLameDuckRequest,
} from "./lame-duck.ts";
import { locationOf } from "./location.ts";
import { encodeAuctionReply, encodePingReply, parsePingReply } from "./ping.ts";
import { encodeStopReply, encodeStopRequest, parseStopReply, parseStopRequest } from "./stop.ts";
import { encodeWorkloadPingReply, parseWorkloadPingReply } from "./workload-ping.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

const ping = {
  node_id: "N1",
  nexus: "nexus",
  version: "0.2.7",
  uptime: "8m47s",
  target_xkey: "X1",
  tags: { "nex.os": "linux" },
  running_machines: 2,
};

test("PING and AUCTION replies are written as documented and read back", () => {
  assert.equal(
    text(encodePingReply(ping)),
    '{"type":"io.nats.nex.v1.ping_response","data":{"node_id":"N1","nexus":"nexus","version":"0.2.7","uptime":"8m47s","target_xkey":"X1","tags":{"nex.os":"linux"},"running_machines":2}}',
  );
  assert.deepEqual(parsePingReply(encodePingReply(ping)), ping);
  const auction = parseReply(encodeAuctionReply({ ...ping, nexus: "" }));
  assert.equal(auction.type, RESPONSE_TYPES.auction);
  const { nexus: _, ...rest } = ping;
  assert.deepEqual(parsePingReply(encodeAuctionReply({ ...ping, nexus: "" })), rest);
});

test("AUCTION requests carry only the conditions given", () => {
  assert.equal(text(encodeAuctionRequest({})), "{}");
  const conditions = {
    arch: "amd64",
    os: "linux",
    sandboxed: true,
    tags: { a: "b" },
    workload_types: ["v8"],
  };
  assert.deepEqual(parseAuctionRequest(encodeAuctionRequest(conditions)), conditions);
});

test("parseAuctionRequest reads nothing and nonsense as no conditions", () => {
  for (const body of ["", "null", "[]", "nope", '{"arch":1}'])
    assert.deepEqual(parseAuctionRequest(Buffer.from(body)), {});
});

const info = {
  version: "0.2.7",
  uptime: "8m47s",
  public_xkey: "X1",
  tags: { "nex.os": "linux" },
  memory: { total: 3, free: 1, available: 2 },
  machines: [
    {
      id: "id",
      healthy: true,
      uptime: "8m40s",
      namespace: "default",
      workload: { name: "echo", description: "", runtime: "8m40s", type: "native", hash: "5e88" },
    },
  ],
  supported_workload_types: ["native"],
};

test("INFO replies always have a list of machines and whole numbers of memory", () => {
  assert.deepEqual(parseInfoReply(encodeInfoReply(info)), info);
  const bytes = encodeInfoReply({
    version: "1",
    uptime: "0s",
    public_xkey: "X1",
    memory: { total: 1.5, free: 0, available: 0 },
    machines: [],
  });
  assert.ok(text(bytes).includes('"memory":{"total":1,"free":0,"available":0},"machines":[]'));
  const bare = { version: "1", uptime: "0s", public_xkey: "X1" };
  assert.deepEqual(parseInfoReply(encodeReply("info", { ...bare, machines: null })).machines, []);
});

test("WPING replies list workloads", () => {
  const { nexus: _, ...rest } = ping;
  const reply = { ...rest, running_machines: [{ id: "id", namespace: "ns", name: "echo", type: "v8" }] };
  assert.deepEqual(parseWorkloadPingReply(encodeWorkloadPingReply(reply)), reply);
  assert.throws(() => parseWorkloadPingReply(encodePingReply(ping)), {
    code: "WIRE_INVALID",
    message: 'field "running_machines" must be a list',
  });
});

const deploy = {
  description: "",
  type: "native",
  location: locationOf({ bucket: "NEXCLIFILES", key: "echo" }),
  workload_jwt: "jwt",
  environment: "sealed",
  sender_public_key: "X2",
  target_node: "N1",
};

test("DEPLOY requests carry every field a Go node needs, and no empty lists", () => {
  assert.equal(
    text(encodeDeployRequest({ ...deploy, argv: [], trigger_subjects: [] })),
    '{"description":"","type":"native","location":{"Scheme":"nats","Opaque":"","User":null,"Host":"NEXCLIFILES","Path":"/echo","RawPath":"","OmitHost":false,"ForceQuery":false,"RawQuery":"","Fragment":"","RawFragment":""},"essential":false,"workload_jwt":"jwt","environment":"sealed","jsdomain":"","sender_public_key":"X2","target_node":"N1"}',
  );
});

test("DEPLOY requests round trip with every field", () => {
  const credentials = { nats_url: "nats://x", nats_user_jwt: "j", nats_user_seed: "s" };
  const full = {
    ...deploy,
    argv: ["-v"],
    essential: true,
    jsdomain: "hub",
    trigger_subjects: ["a.*"],
    trigger_connection: credentials,
    host_services: credentials,
    fresh: true,
    concurrency: 4,
    retry_count: 3,
    retried_at: "2024-07-03T09:46:40.123456789Z",
  };
  assert.deepEqual(parseDeployRequest(encodeDeployRequest(full)), full);
});

test("parseDeployRequest names what is missing or wrong", () => {
  const without = (field: string): Uint8Array => json({ ...deploy, [field]: null });
  for (const field of ["type", "location", "workload_jwt", "environment", "sender_public_key"]) {
    assert.throws(() => parseDeployRequest(without(field)), {
      code: "WIRE_INVALID",
      message: `field "${field}" is missing`,
    });
  }
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ location: 1 }, 'field "location" must be an object'],
    [{ location: { Host: 1 } }, 'field "location.Host" is of the wrong type'],
    [{ argv: "x" }, 'field "argv" must be a list'],
    [{ argv: ["x", 1] }, 'field "argv[1]" must be a string'],
    [{ essential: "yes" }, 'field "essential" must be a boolean'],
    [{ trigger_connection: { nats_url: "x" } }, 'field "trigger_connection.nats_user_jwt" is missing'],
    [{ fresh: 1 }, 'field "fresh" must be a boolean'],
    [{ concurrency: 0 }, 'field "concurrency" is not valid'],
    [{ retry_count: -1 }, 'field "retry_count" is not valid'],
    [{ retried_at: "yesterday" }, 'field "retried_at" must be a time'],
  ];
  for (const [change, message] of cases) {
    assert.throws(() => parseDeployRequest(json({ ...deploy, ...change })), {
      code: "WIRE_INVALID",
      message,
    });
  }
});

test("parseDeployRequest takes a missing description and target, and a location as text", () => {
  const { description, target_node, ...rest } = deploy;
  const request = parseDeployRequest(json({ ...rest, location: "nats://NEXCLIFILES/echo" }));
  assert.equal(request.description, description);
  assert.notEqual(request.target_node, target_node);
  assert.deepEqual(request.location, deploy.location);
});

test("STOP and LAMEDUCK messages round trip", () => {
  const request = { workload_id: "id", workload_jwt: "jwt", target_node: "N1" };
  assert.deepEqual(parseStopRequest(encodeStopRequest(request)), request);
  const stopped = { stopped: true, id: "id", issuer: "A1", name: "echo" };
  assert.deepEqual(parseStopReply(encodeStopReply(stopped)), stopped);
  const started = { started: true, id: "id", issuer: "A1", name: "echo" };
  assert.deepEqual(parseDeployReply(encodeDeployReply(started)), started);
  const lameDuck = { node_id: "N1", success: true };
  assert.deepEqual(parseLameDuckReply(encodeLameDuckReply(lameDuck)), lameDuck);
});

test("a refusal has the request's type, empty data and the text", () => {
  const bytes = encodeFailure("deploy", "no");
  assert.equal(text(bytes), '{"type":"io.nats.nex.v1.run_response","data":"","error":"no"}');
  assert.deepEqual(parseReply(bytes), { kind: "failure", type: RESPONSE_TYPES.deploy, error: "no" });
  assert.throws(
    () => parseDeployReply(bytes),
    (error) =>
      error instanceof ControlRefusedError && error.code === "CONTROL_REFUSED" && error.reason === "no",
  );
});

test("a refusal may come with data of any kind, and error: null is none", () => {
  for (const data of [undefined, null, "", {}, [], 1]) {
    assert.equal(parseReply(json({ type: "t", data, error: "no" })).kind, "failure");
  }
  assert.equal(parseReply(json({ type: "t", data: {}, error: null })).kind, "success");
  assert.deepEqual(parseReply(json({ error: {} })), { kind: "failure", type: "", error: "unknown error" });
  assert.throws(() => parseDeployReply(json({ type: "t" })), { message: "body is missing" });
});

test("LAMEDUCK request: empty unless something is asked for, and what is no object asks for nothing", () => {
  assert.equal(encodeLameDuckRequest({}).length, 0);
  const request = { exit_when_idle: true, delay_ms: 10_000 };
  assert.deepEqual({ ...parseLameDuckRequest(encodeLameDuckRequest(request)) }, request);
  for (const body of ["", "null", "[]", "7", "{", '{"other": 1}']) {
    assert.deepEqual({ ...parseLameDuckRequest(Buffer.from(body)) }, {});
  }
  for (const body of [
    '{"delay_ms": "10s"}',
    '{"delay_ms": -1}',
    '{"delay_ms": 1.5}',
    '{"exit_when_idle": 1}',
  ]) {
    assert.throws(() => parseLameDuckRequest(Buffer.from(body)), { code: "WIRE_INVALID" });
  }
});

test("INFO: what our nodes add about a workload is read and written, and may be missing", () => {
  const workload = { name: "w", runtime: "1s", type: "native", hash: "00" };
  const added = {
    essential: true,
    restarts: 2,
    last_exit: { code: 3, reason: "Exited", time: "2026-01-02T03:04:05.000Z" },
    trigger_subjects: ["a", "b.>"],
  };
  for (const extra of [{}, added]) {
    const machine = { id: "i", healthy: true, uptime: "1s", workload: { ...workload, ...extra } };
    const bytes = encodeInfoReply({ version: "v", uptime: "1s", public_xkey: "X", machines: [machine] });
    assert.deepEqual(JSON.parse(JSON.stringify(parseInfoReply(bytes).machines)), [machine]);
  }
});
