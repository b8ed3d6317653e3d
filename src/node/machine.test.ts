import assert from "node:assert/strict";
import { test } from "node:test";
import { Machine, describeEnd, exitCodeOf } from "./machine.ts";
import { MachineRegistry } from "./machine-registry.ts";

test("Machine moves along its states only", () => {
  const machine = new Machine("m1");
  assert.throws(() => machine.become({ kind: "ended", reason: { kind: "stop-requested" } }), {
    code: "INTERNAL",
    message: 'Cannot move machine "m1" from "warming" to "ended"',
  });
  assert.equal(machine.state.kind, "warming");
});

test("Machine records its end once and leaves the registry with it", async () => {
  const registry = new MachineRegistry();
  const machine = registry.add("m2");
  const reason = { kind: "agent-lost", message: "gone" } as const;
  machine.become({ kind: "stopping", reason, owner: undefined });
  assert.throws(() =>
    machine.become({ kind: "stopping", reason: { kind: "node-shutdown" }, owner: undefined }),
  );
  machine.become({ kind: "ended", reason });
  assert.deepEqual(await machine.ended, reason);
  assert.equal(registry.get("m2"), undefined);
});

test("exit codes and texts tell a wanted end from a crash", () => {
  assert.equal(exitCodeOf({ kind: "stop-requested" }), 0);
  assert.equal(exitCodeOf({ kind: "exited", code: 3, message: "" }), 3);
  assert.equal(exitCodeOf({ kind: "agent-lost", message: "killed" }), -1);
  assert.equal(describeEnd({ kind: "agent-lost", message: "killed" }), "killed");
});
