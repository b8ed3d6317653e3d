// The guide from "Starting a Nex Node" to "Deploying Services" and on, in virtual machines that really boot.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import {
  BOOT_MS,
  GATEWAY,
  MONITOR_PORT,
  NATS_PORT,
  machineAssets,
  startMachineBench,
  warmed,
} from "../support/machine-bench.ts";
import type { MachineBench, MachineDriver } from "../support/machine-bench.ts";
import { isEndOf, startFollower, watchedEvents, watchedLogs } from "../support/follower.ts";
import type { WatchedEvent, WatchedLog } from "../support/follower.ts";
import { compileStatic, noCompiler } from "../support/static-program.ts";
import type { RunningNex } from "../support/run-nex.ts";
import type { Census } from "../support/census.ts";
import { until } from "../support/until.ts";

const EXAMPLES = join(import.meta.dirname, "..", "..", "examples");
const ECHO = join(EXAMPLES, "services/echoservice/bin/linux-x64/echoservice");

for (const driver of ["qemu", "firecracker"] satisfies MachineDriver[]) {
  const assets = await machineAssets(driver);
  const skip = assets.kind === "missing" ? assets.reason : false;
  describe(`a node with virtual machines (${driver})`, { skip, timeout: 900_000 }, () => {
    describeNode(driver);
  });
}

function describeNode(driver: MachineDriver): void {
  const stack = new AsyncDisposableStack();
  let bench: MachineBench;
  let node: RunningNex;
  let empty: Census;
  let events: () => readonly WatchedEvent[];
  let logs: () => readonly WatchedLog[];

  before(
    async () => {
      bench = stack.use(await startMachineBench(driver));
      empty = await bench.census();
      const config = await bench.configure({
        machine_pool_size: 2,
        // More than the machine has, so that a function may exhaust it.
        functions: { memory_mib: 1024, timeout_ms: 120_000 },
        host_services: {
          services: {
            http: { enabled: true, config: { allow: ["127.0.0.1"] } },
            kv: { enabled: true },
            objectstore: { enabled: true },
            messaging: { enabled: true, config: { request_timeout_ms: 4000 } },
          },
        },
      });
      node = stack.use(await bench.nodeUp(config));
      await node.waitForLine(/NATS execution engine awaiting commands/, { timeoutMs: BOOT_MS });
      const eventFollower = stack.use(await startFollower(bench, ["events"]));
      events = () => watchedEvents(eventFollower);
      const logFollower = stack.use(await startFollower(bench, ["logs"]));
      logs = () => watchedLogs(logFollower);
    },
    { timeout: 2 * BOOT_MS },
  );
  afterEach((context) => {
    if ("passed" in context && !context.passed) console.error(node.stderr());
  });
  after(async () => stack.disposeAsync(), { timeout: 60_000 });

  /** `nex devrun` once a machine is warm; the id of the workload. */
  const deploy = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await devrun(...args, "--json");
    assert.equal(code, 0, stderr);
    taken += 1;
    return (JSON.parse(stdout) as { workload_id: string }).workload_id;
  };
  let taken = 0;
  const devrun = async (...args: readonly string[]): ReturnType<MachineBench["nex"]> => {
    await warmed(node, taken + 1);
    return bench.nex(["devrun", ...args]);
  };
  const request = async (subject: string, body: string): Promise<string> => {
    const { code, stdout, stderr } = await bench.nex(["req", "--raw", "--timeout=60s", subject, body]);
    assert.equal(code, 0, stderr);
    return stdout.trimEnd();
  };
  const endOf = (id: string): Promise<WatchedEvent> =>
    until(() => events().find(isEndOf(id)), {
      timeoutMs: BOOT_MS,
      message: `no end of "${id}"`,
    });
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(bench.host.directory, name);
    await writeFile(path, text, { mode: 0o755 });
    return path;
  };

  const stop = async (id: string): Promise<void> => {
    const { code, stderr } = await bench.nex(["stop", id]);
    assert.equal(code, 0, stderr);
    assert.equal((await endOf(id)).data.code, 0);
  };
  const listNode = async (): Promise<{ readonly id: string; readonly sandboxed: boolean }> => {
    const nodes = JSON.parse((await bench.nex(["node", "ls", "--json"])).stdout) as never[];
    assert.equal(nodes.length, 1);
    return nodes[0] as never;
  };

  test("node ls and node info say what it is and what isolates workloads", async () => {
    const { id, sandboxed } = await listNode();
    assert.equal(sandboxed, true);
    const { stdout } = await bench.nex(["node", "info", id]);
    assert.match(stdout, driver === "qemu" ? /virtual machine \(QEMU, / : /virtual machine \(Firecracker/);
  });

  test("the echo service answers from a machine, is listed and can be stopped", async () => {
    const id = await deploy(ECHO, `NATS_URL=nats://${GATEWAY}:${NATS_PORT}`);
    assert.match(await until(() => request("svc.echo", "hello"), { timeoutMs: BOOT_MS }), /hello/);
    const clients = await bench.host.run(`busybox wget -qO- http://127.0.0.1:${MONITOR_PORT}/connz`);
    assert.match(clients, /"ip": "192\.168\.127\.\d+"/, "it connects from the address of a machine");
    assert.match((await bench.nex(["node", "info", (await listNode()).id])).stdout, new RegExp(id));
  });

  test("a JavaScript function uses the host services and the echo service", async () => {
    const file = await write("services.js", SERVICES_FUNCTION);
    const url = `http://127.0.0.1:${MONITOR_PORT}/healthz`;
    const id = await deploy(file, "--trigger_subject=vm.js", `URL=${url}`, "REFUSED=http://127.0.0.2/");
    assert.deepEqual(JSON.parse(await request("vm.js", "heya")), {
      kv: "heya",
      object: "heya",
      http: 200,
      refused: true,
      echo: "heya",
    });
    await until(() => logs().some(({ text }) => text === "asked vm.js"));
    await until(() =>
      events().some(({ type, source }) => type === "workload_deployed" && source.endsWith(id)),
    );
    await until(() =>
      events().some(({ type, source }) => type === "function_exec_succeeded" && source.endsWith(id)),
    );
    await stop(id);
  });

  test("a WebAssembly function uses the host services", async () => {
    const file = join(EXAMPLES, "wasm/hostservices-c/hostservices.wasm");
    const id = await deploy(file, "--trigger_subject=wasm.kv");
    assert.equal(await request("wasm.kv", "heya"), "heya");
    await until(() => logs().some(({ text }) => text === "key: hello2"));
    await stop(id);
  });

  test("programs that need more than the machine has are refused, and take none", async () => {
    const script = await write("script.sh", "#!/bin/sh\n");
    const refusals = {
      [script]: /failed to open source binary/,
      "/bin/true":
        /failed static link check: native binary contains at least one dynamically linked dependency/,
    };
    await warmed(node, taken + 1);
    const machines = await bench.machines();
    for (const [file, reason] of Object.entries(refusals)) {
      const { code, stdout, stderr } = await devrun(file, "--type=native");
      assert.equal(code, 1);
      assert.match(stdout + stderr, reason);
    }
    assert.deepEqual(await bench.machines(), machines);
  });

  test("a function that exhausts its machine ends with it, and the reason is told", async () => {
    const file = await write("hungry.js", HUNGRY_FUNCTION);
    const id = await deploy(file, "--trigger_subject=vm.hungry");
    const reply = bench.nex(["req", "--timeout=120s", "vm.hungry", "x"], { timeoutMs: BOOT_MS });
    const { data } = await endOf(id);
    // Of the agent's own watch or the guest's kernel, whichever is first.
    assert.match(data.reason ?? "", /out of memory|memory limit/);
    await reply;
  });

  test("an essential native workload runs as an ordinary user, and again after it ran out of memory", async (t) => {
    const reason = await noCompiler();
    if (reason !== false) return t.skip(reason);
    const program = join(bench.host.directory, "hungry");
    await compileStatic(HUNGRY_PROGRAM, program);
    const first = await deploy(program, "--essential", "--argv=one two", "greeting=hi");
    const { data } = await endOf(first);
    assert.equal(data.code, -1);
    assert.match(data.reason ?? "", /out of memory/);
    const said = "user 1000, group 1000, arguments one two, greeting hi";
    assert.ok(logs().some(({ workload_name: name, text }) => name === "hungry" && text === said));
    const again = await until(
      () =>
        events().find(
          ({ type, data: { workload_name: name }, source }) =>
            type === "workload_deployed" && name === "hungry" && !source.endsWith(first),
        ),
      { timeoutMs: BOOT_MS, message: "it was not deployed again" },
    );
    assert.ok(again);
  });

  test("SIGTERM ends the node and all machines, and nothing is left", async () => {
    node.signal("SIGTERM");
    assert.equal((await node.exit).code, 0);
    assert.deepEqual(await bench.census(), empty);
  });
}

const SERVICES_FUNCTION = `(subject, payload) => {
  const { kv, objectStore, messaging, http } = this.hostServices;
  const text = (bytes) => String.fromCharCode(...bytes);
  console.log("asked", subject);
  kv.set("key", payload);
  objectStore.put("object", payload);
  let refused = false;
  try {
    http.get(env.REFUSED);
  } catch {
    refused = true;
  }
  return {
    kv: text(kv.get("key")),
    object: text(objectStore.get("object")),
    http: http.get(env.URL).status,
    refused,
    echo: text(messaging.request("svc.echo", payload)),
  };
};
`;

const HUNGRY_FUNCTION = `() => {
  const taken = [];
  for (;;) taken.push(new Uint8Array(8 << 20).fill(1));
};
`;

const HUNGRY_PROGRAM = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **arguments) {
  printf("user %d, group %d, arguments %s %s, greeting %s\\n", getuid(), getgid(),
         count > 1 ? arguments[1] : "", count > 2 ? arguments[2] : "", getenv("GREETING"));
  fflush(stdout);
  for (;;) memset(malloc(1 << 20), 1, 1 << 20);
}
`;
