// What `nex node preflight` and `nex node up` say about a host, with a stand-in for QEMU.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { canOpenKvm } from "../../src/sandbox/kvm.ts";
import { makePreflightHost, whatPreflightMisses } from "../support/preflight-host.ts";
import { runNex } from "../support/run-nex.ts";

const skip = await whatPreflightMisses();
const hasKvm = await canOpenKvm();

describe("nex node preflight tells whether machines run", { skip, concurrency: 2 }, () => {
  test("says what a guest said last that does not boot, and ends with 1", async () => {
    await using host = await makePreflightHost({ qemu: "does not boot" });
    const { code, stdout, stderr } = await host.preflight(["--yes"]);
    assert.equal(code, 1);
    assert.match(stdout, /^⛔ Virtualization - software emulation: .*ended with exit code 1/m);
    assert.match(stdout, /^\tKernel panic - not syncing$/m);
    assert.match(stderr, /^nex: error: This host runs no virtual machines\nhint: .*--force/m);
    const json = await host.preflight(["--yes", "--json"]);
    assert.equal(json.code, 1);
    assert.match(json.stdout, /"ok": false/);
    assert.match(json.stdout, /"kind": "failed"/);
  });

  test("a guest that boots with KVM decides", { skip: hasKvm ? false : "cannot open /dev/kvm" }, async () => {
    for (const [qemu, boots] of [
      ["boots with KVM", ["kvm"]],
      ["boots with KVM at the second try", ["kvm", "kvm"]],
    ] as const) {
      await using host = await makePreflightHost({ qemu });
      const { code, stdout } = await host.preflight(["--yes"]);
      assert.equal(code, 0);
      assert.match(stdout, /\n✅ Virtualization - KVM boots a guest\n$/);
      assert.deepEqual(await host.boots(), boots);
    }
  });

  test("node up names all that is missing, before anything starts", async () => {
    await using host = await makePreflightHost({});
    const up = ["node", "up", `--config=${host.path("node.json")}`, "--embedded-nats", "--nats-port=-1"];
    const { code, stderr } = await runNex(up);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `nex: error: Cannot start the node:
binary not found: tc-redirect-tap
cni config file not found
vmlinux file not found
initrd file not found
rootfs file not found
hint: Get this host ready with \`nex node preflight\`, or run workloads without a sandbox: \`nex node up --no-sandbox\`
`,
    );
    assert.ok(!existsSync(host.path("nex.pid")));
  });
});

describe("nex node preflight for hosts without a sandbox", { concurrency: 2 }, () => {
  test("--init writes a configuration once, and warns the next time", async () => {
    await using host = await makePreflightHost({});
    const file = host.path("new.json");
    const args = ["node", "preflight", "--init=nosandbox", `--config=${file}`];
    const first = await runNex(args);
    assert.deepEqual([first.code, first.stderr], [0, `Wrote ${file}\n`]);
    assert.match(first.stdout, /^✅ Dependency Satisfied - .*\/agent\.js \[Nex-agent binary\]\n$/);
    assert.deepEqual(JSON.parse(await readFile(file, "utf8")), {
      no_sandbox: true,
      default_resource_dir: "/tmp/nex",
      machine_pool_size: 1,
      internal_node_host: "10.10.10.1",
      cni: { network_name: "fcnet", interface_name: "veth0", subnet: "10.10.10.0/24" },
      machine_template: { vcpu_count: 1, memsize_mib: 256 },
      tags: { simple: "true" },
    });
    await writeFile(file, '{"no_sandbox": true}');
    const second = await runNex(args);
    assert.equal(second.code, 0);
    assert.match(second.stderr, /There is a configuration already; it is left alone/);
    assert.equal(await readFile(file, "utf8"), '{"no_sandbox": true}');
  });

  test("refuses flags that contradict each other, and versions it does not have", async () => {
    for (const [args, message] of [
      [["--check", "--force"], /'--check' and '--force' exclude each other/],
      [["--install_version=9.9.9"], /'--install_version' can only be \d+\.\d+\.\d+/],
      [["--init=vm"], /'--init'/],
      [["--config=/nonexistent.json"], /Cannot read node configuration "\/nonexistent\.json"/],
    ] as const) {
      const { code, stderr } = await runNex(["node", "preflight", ...args]);
      assert.equal(code, 1);
      assert.match(stderr, message);
    }
  });
});
