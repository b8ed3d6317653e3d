import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseControlSubject, type ControlSubject } from "./parse-subject.ts";
import { assertNamespace, isNamespace, nodeSubscriptions, subjects } from "./subjects.ts";

const CASES: readonly (readonly [string, string, ControlSubject])[] = [
  [subjects.auction(), "$NEX.AUCTION", { kind: "auction" }],
  [subjects.ping(), "$NEX.PING", { kind: "ping" }],
  [subjects.ping("N1"), "$NEX.PING.N1", { kind: "ping", nodeId: "N1" }],
  [subjects.workloadPing("ns"), "$NEX.WPING.ns", { kind: "workload-ping", namespace: "ns" }],
  [
    subjects.workloadPing("ns", "w"),
    "$NEX.WPING.ns.w",
    { kind: "workload-ping", namespace: "ns", idOrName: "w" },
  ],
  [subjects.info("ns", "N1"), "$NEX.INFO.ns.N1", { kind: "info", namespace: "ns", nodeId: "N1" }],
  [subjects.deploy("ns", "N1"), "$NEX.DEPLOY.ns.N1", { kind: "deploy", namespace: "ns", nodeId: "N1" }],
  [subjects.stop("ns", "N1"), "$NEX.STOP.ns.N1", { kind: "stop", namespace: "ns", nodeId: "N1" }],
  [subjects.lameDuck("N1"), "$NEX.LAMEDUCK.N1", { kind: "lame-duck", nodeId: "N1" }],
  [
    subjects.event("system", "heartbeat"),
    "$NEX.events.system.heartbeat",
    { kind: "event", namespace: "system", type: "heartbeat" },
  ],
  [
    subjects.workloadLog({ namespace: "ns", nodeId: "N1", workloadName: "echo", workloadId: "id" }),
    "$NEX.logs.ns.N1.echo.id",
    { kind: "workload-log", namespace: "ns", nodeId: "N1", lastTokens: ["echo", "id"] },
  ],
  [
    subjects.nodeLog("N1", "stderr"),
    "$NEX.logs.system.N1.stderr",
    { kind: "node-log", nodeId: "N1", stream: "stderr" },
  ],
];

test("subjects are built as documented and parsed back", () => {
  for (const [built, expected, parsed] of CASES) {
    assert.equal(built, expected);
    assert.deepEqual(parseControlSubject(built), parsed);
  }
});

test("parseControlSubject ignores further tokens of WPING only", () => {
  assert.deepEqual(parseControlSubject("$NEX.WPING.ns.w.more"), {
    kind: "workload-ping",
    namespace: "ns",
    idOrName: "w",
  });
  for (const [built] of CASES) {
    if (!built.startsWith("$NEX.WPING"))
      assert.equal(parseControlSubject(`${built}.more.and.more`), undefined);
  }
});

test("parseControlSubject knows no other subjects", () => {
  for (const subject of [
    "",
    "$NEX",
    "$NEX.",
    "$NEX.RUN.ns.N1",
    "$nex.PING",
    "$NEX.INFO.ns",
    "$NEX.INFO..N1",
  ]) {
    assert.equal(parseControlSubject(subject), undefined, subject);
  }
  for (const subject of [
    "$NEX.WPING",
    "$NEX.LAMEDUCK",
    "$NEX.events.a",
    "$NEX.logs.ns.N1.stdout",
    "$NEX.logs.a",
  ]) {
    assert.equal(parseControlSubject(subject), undefined, subject);
  }
});

test("a namespace is one token without wildcards", () => {
  for (const good of ["default", "Team-1_x", "münchen", "$x"]) assert.ok(isNamespace(good), good);
  for (const bad of ["", ".", "a.b", "*", "a*", ">", "a b", "a\tb", "a\n", "\u00a0", "a\u0000"]) {
    assert.ok(!isNamespace(bad), JSON.stringify(bad));
    assert.throws(() => assertNamespace(bad), { code: "NAMESPACE_INVALID" });
    assert.throws(() => subjects.info(bad, "N1"), { code: "NAMESPACE_INVALID" });
    assert.throws(() => subjects.info("ns", bad), { code: "SUBJECT_INVALID" });
    assert.throws(() => nodeSubscriptions(bad), { code: "SUBJECT_INVALID" });
  }
});

test("builders give a parsable subject or refuse, whatever the parts", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (namespace, nodeId) => {
      if (isNamespace(namespace) && isNamespace(nodeId)) {
        const subject = subjects.deploy(namespace, nodeId);
        assert.deepEqual(parseControlSubject(subject), { kind: "deploy", namespace, nodeId });
      } else {
        assert.throws(() => subjects.deploy(namespace, nodeId), /is not valid|cannot be part/u);
      }
    }),
  );
});

test("a node subscribes to all nodes' and its own subjects", () => {
  assert.deepEqual(Object.values(nodeSubscriptions("N1")), [
    "$NEX.AUCTION",
    "$NEX.PING",
    "$NEX.PING.N1",
    "$NEX.WPING.>",
    "$NEX.INFO.*.N1",
    "$NEX.DEPLOY.*.N1",
    "$NEX.STOP.*.N1",
    "$NEX.LAMEDUCK.N1",
  ]);
});
