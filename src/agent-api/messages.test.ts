import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { NexError } from "../lib/errors.ts";
import {
  encodeAgentDeploy,
  encodeAgentDeployReply,
  parseAgentDeploy,
  parseAgentDeployReply,
} from "./agent-deploy.ts";
import { encodeAgentEvent, parseAgentEvent, parseWorkloadEventData } from "./agent-event.ts";
import { AGENT_LOG_LEVELS, encodeAgentLog, parseAgentLog, workloadLogLevel } from "./agent-log.ts";
import { agentSubjects, parseEventSubject, parseRpcSubject } from "./agent-subjects.ts";
import { encodeHandshake, encodeHandshakeReply, parseHandshake, parseHandshakeReply } from "./handshake.ts";
import { encodeAgentMetadata, parseAgentMetadata } from "./metadata.ts";
import type { AgentMetadata } from "./metadata.ts";
import { encodeRpcResult, parseRpcResult } from "./rpc.ts";
import {
  encodeTriggerReply,
  parseTriggerReply,
  sendable,
  triggerHeaders,
  triggerSubject,
} from "./trigger.ts";

const ID = "cpv0k3752omq9k2v7g10";

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function decoded(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

test("every parser gives a value or AGENT_MESSAGE_INVALID for any bytes and any JSON", () => {
  const parsers = [
    parseHandshake,
    parseHandshakeReply,
    parseAgentDeploy,
    parseAgentDeployReply,
    parseAgentLog,
    parseAgentEvent,
  ];
  const fields = [
    "id",
    "environment",
    "level",
    "type",
    "data",
    "accepted",
    "argv",
    "total_bytes",
    "__proto__",
  ];
  const message = fc.dictionary(fc.constantFrom(...fields), fc.jsonValue());
  const body = fc.oneof(fc.uint8Array(), fc.jsonValue().map(json), message.map(json));
  fc.assert(
    fc.property(fc.constantFrom(...parsers), body, (parse, bytes) => {
      try {
        parse(bytes);
      } catch (error) {
        assert.ok(error instanceof NexError && error.code === "AGENT_MESSAGE_INVALID", String(error));
      }
    }),
  );
});

test("subjects are those of the protocol, and refuse a part that is not one token", () => {
  assert.equal(agentSubjects.handshake(ID), `hostint.${ID}.handshake`);
  assert.equal(agentSubjects.event(ID, "workload_deployed"), `hostint.${ID}.events.workload_deployed`);
  assert.equal(agentSubjects.trigger(ID), `agentint.${ID}.trigger`);
  const parts = { id: ID, namespace: "default", workloadName: "echo", service: "kv", method: "get" };
  assert.equal(agentSubjects.rpc(parts), `hostint.${ID}.rpc.default.echo.kv.get`);
  assert.deepEqual(parseRpcSubject(agentSubjects.rpc(parts)), parts);
  for (const bad of ["", "a.b", "*", ">", "a b", "a\u0000"]) {
    assert.throws(() => agentSubjects.rpc({ ...parts, method: bad }), { code: "AGENT_MESSAGE_INVALID" });
  }
  for (const bad of [
    "",
    "hostint.x.rpc.a.b.c",
    "hostint.x.rpc.a.b.c.d.e",
    "agentint.x.rpc.a.b.c.d",
    "hostint..rpc.a.b.c.d",
  ]) {
    assert.equal(parseRpcSubject(bad), undefined);
  }
  assert.equal(parseEventSubject(agentSubjects.event(ID, "x")), "x");
  for (const bad of ["hostint.x.events", "hostint.x.events.", "hostint.x.events.a.b", "hostint.x.logs.a"]) {
    assert.equal(parseEventSubject(bad), undefined);
  }
});

test("handshake has the fields that a Go node wants", () => {
  const body = encodeHandshake({ id: ID, startTime: new Date(1_720_000_000_100), message: "hello" });
  assert.deepEqual(decoded(body), { id: ID, start_time: "2024-07-03T09:46:40.100Z", message: "hello" });
  assert.equal(parseHandshake(body).id, ID);
  assert.equal(parseHandshake(json({ id: ID, start_time: null, message: null })).id, ID);
  assert.throws(() => parseHandshake(json({ id: "" })), { code: "AGENT_MESSAGE_INVALID" });
  parseHandshakeReply(encodeHandshakeReply());
  assert.throws(() => parseHandshakeReply(new Uint8Array(0)), { code: "AGENT_MESSAGE_INVALID" });
});

const DEPLOY = {
  namespace: "default",
  workload_name: "echo",
  workload_type: "v8",
  hash: "ab".repeat(32),
  total_bytes: 12,
  environment: { KEY: "value" },
  trigger_subjects: ["js.echo"],
};

test("deploy request arrives as sent, without what is not of it", () => {
  const secrets = { trigger_connection: { seed: "SU" }, host_services: { seed: "SU" } };
  const body = encodeAgentDeploy({ ...DEPLOY, ...secrets, argv: ["a"], essential: false });
  assert.deepEqual(
    Object.keys(decoded(body) as object).filter((key) => key in secrets),
    [],
  );
  const parsed = parseAgentDeploy(body);
  assert.ok(parsed.kind === "valid");
  assert.deepEqual(parsed.request, {
    ...DEPLOY,
    argv: ["a"],
    description: "",
    essential: false,
    fresh: false,
    function_limits: {},
  });
});

test("deploy request says how a function is run, and may leave out each limit", () => {
  const body = encodeAgentDeploy({ ...DEPLOY, fresh: true, function_limits: { timeout_ms: 100 } });
  const parsed = parseAgentDeploy(body);
  assert.ok(parsed.kind === "valid");
  assert.deepEqual([parsed.request.fresh, parsed.request.function_limits], [true, { timeout_ms: 100 }]);
  const wrong = parseAgentDeploy(json({ ...DEPLOY, function_limits: { memory_mib: 0 } }));
  assert.match(wrong.kind === "refused" ? wrong.message : "", /function_limits\.memory_mib/);
});

test("deploy request of a Go node may have null for environment, triggers and description", () => {
  const native = {
    ...DEPLOY,
    workload_type: "native",
    environment: null,
    trigger_subjects: null,
    description: null,
  };
  const parsed = parseAgentDeploy(json(native));
  assert.ok(parsed.kind === "valid");
  assert.deepEqual([parsed.request.environment, parsed.request.trigger_subjects], [{}, []]);
});

test("deploy request is refused with all its problems, one a line", () => {
  assert.deepEqual(parseAgentDeploy(json({})), {
    kind: "refused",
    message: [
      "namespace is required",
      "workload name is required",
      "hash is required",
      "total bytes is required",
      "workload type is required",
    ].join("\n"),
  });
  assert.deepEqual(parseAgentDeploy(json({ ...DEPLOY, essential: true, trigger_subjects: [] })), {
    kind: "refused",
    message:
      "essential flag is not supported for workload type\nat least one trigger subject is required for this workload type",
  });
  const unreadable = parseAgentDeploy(json({ ...DEPLOY, environment: { SECRET: 1 } }));
  assert.ok(unreadable.kind === "refused");
  assert.match(unreadable.message, /^Failed to unmarshal deploy request: /);
});

test("deploy reply has a message or null", () => {
  assert.deepEqual(decoded(encodeAgentDeployReply({ accepted: false, message: "" })), {
    accepted: false,
    message: null,
  });
  const reply = { accepted: true, message: "Workload deployed" };
  assert.deepEqual(parseAgentDeployReply(encodeAgentDeployReply(reply)), reply);
  assert.deepEqual(parseAgentDeployReply(json({})), { accepted: false, message: "" });
});

test("log levels are numbers on the wire and slog names in workload logs", () => {
  for (const [number, level] of AGENT_LOG_LEVELS.entries()) {
    const body = encodeAgentLog({ source: "echo", level, text: "line" });
    assert.deepEqual(decoded(body), { source: "echo", level: number, text: "line" });
    assert.deepEqual(parseAgentLog(body), { source: "echo", level, text: "line" });
  }
  assert.deepEqual(AGENT_LOG_LEVELS.map(workloadLogLevel), [
    "ERROR",
    "ERROR",
    "ERROR",
    "WARN",
    "INFO",
    "DEBUG",
    "DEBUG",
  ]);
  assert.deepEqual(parseAgentLog(json({})), { source: "", level: "panic", text: "" });
  assert.equal(parseAgentLog(json({ level: 99 })).level, "trace");
});

test("events are CloudEvents", () => {
  const data = { workload_name: "echo", code: 3 };
  const body = encodeAgentEvent({ type: "workload_undeployed", source: ID, data, time: new Date(0) });
  const { id, ...rest } = decoded(body) as Record<string, unknown>;
  assert.match(String(id), /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    specversion: "1.0",
    type: "workload_undeployed",
    source: ID,
    time: "1970-01-01T00:00:00.000Z",
    datacontenttype: "application/json",
    data,
  });
  const event = parseAgentEvent(body);
  assert.deepEqual(parseWorkloadEventData(event), data);
  assert.equal(parseWorkloadEventData({ ...event, data: { code: "x" } }), undefined);
});

test("a reply that its caller cannot be sent is a failure that names both sizes", () => {
  const reply = { kind: "succeeded", body: new Uint8Array(9), runtimeNs: 5 } as const;
  const to = (maxReplyBytes?: number) => ({
    subject: "s",
    headers: triggerHeaders("js.echo", maxReplyBytes),
    body: new Uint8Array(0),
  });
  for (const message of [to(9), to()]) assert.equal(sendable(message, reply), reply);
  assert.deepEqual(sendable(to(8), reply), {
    kind: "failed",
    message: "cannot send the reply (9 bytes): the server takes 8 (max_payload)",
    runtimeNs: 5,
  });
  const failure = { kind: "failed", message: "boom", runtimeNs: 7 } as const;
  assert.equal(sendable(to(0), failure), failure);
});

test("trigger replies tell success with runtime from failure", () => {
  const body = new Uint8Array([1, 2]);
  const message = { subject: "s", headers: triggerHeaders("js.echo"), body };
  assert.equal(triggerSubject(message), "js.echo");
  assert.equal(triggerSubject({ ...message, headers: {} }), "");
  for (const reply of [
    { kind: "succeeded", body, runtimeNs: 1234 },
    { kind: "succeeded", body: new Uint8Array(0), runtimeNs: 1 },
  ] as const) {
    const { headers = {}, body: replyBody = new Uint8Array(0) } = encodeTriggerReply(reply);
    assert.deepEqual(parseTriggerReply({ headers, body: replyBody }), reply);
  }
  const failure = { kind: "failed", message: "boom", runtimeNs: 7 } as const;
  const { headers = {} } = encodeTriggerReply(failure);
  assert.deepEqual(parseTriggerReply({ headers, body: new Uint8Array(0) }), failure);
  assert.deepEqual(parseTriggerReply({ headers: { "x-nex-runtime-ns": "1e9" }, body }), {
    kind: "succeeded",
    body,
    runtimeNs: 0,
  });
});

test("host service results carry code and message; anything malformed is an error 500", () => {
  const ok = { code: 200, message: "OK", body: new Uint8Array([1]) };
  const { headers = {}, body = new Uint8Array(0) } = encodeRpcResult(ok);
  assert.deepEqual(parseRpcResult({ headers, body }), ok);
  assert.equal(encodeRpcResult({ ...ok, code: 404 }).body, undefined);
  assert.equal(parseRpcResult({ headers: { "x-nex-hs-code": "abc" }, body }).code, 500);
  assert.equal(parseRpcResult({ headers: { "x-nex-error": "broken" }, body }).message, "broken");
});

test("metadata survive the environment; wrong ones are refused", () => {
  const metadata: AgentMetadata[] = [
    { workloadId: ID, sandboxed: false, transport: { kind: "channel" } },
    {
      workloadId: ID,
      sandboxed: true,
      transport: { kind: "network", host: "10.0.0.1", port: 4222, nkeySeed: "SU" },
    },
  ];
  for (const value of metadata) assert.deepEqual(parseAgentMetadata(encodeAgentMetadata(value)), value);
  assert.equal(parseAgentMetadata({ NEX_WORKLOADID: ID, NEX_SANDBOX: "False" }).sandboxed, false);
  const network = encodeAgentMetadata(metadata[1] ?? assert.fail());
  for (const wrong of [
    {},
    { NEX_WORKLOADID: "a.b" },
    { ...network, NEX_NODE_NATS_PORT: "0" },
    { ...network, NEX_NODE_NATS_PORT: "70000" },
    { ...network, NEX_NODE_NATS_NKEY_SEED: undefined },
  ]) {
    assert.throws(() => parseAgentMetadata(wrong), { code: "AGENT_METADATA_INVALID" });
  }
});
