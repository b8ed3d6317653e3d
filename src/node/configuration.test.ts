import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { loadConfiguration, parseConfiguration } from "./configuration.ts";

const bare = { no_sandbox: true };

test("the defaults are those of the reference, functions included", () => {
  const configuration = parseConfiguration(bare, "test");
  assert.deepEqual(configuration.workload_types, ["native", "v8", "wasm"]);
  assert.equal(configuration.machine_pool_size, 1);
  assert.equal(configuration.agent_handshake_timeout_ms, 5000);
  assert.deepEqual(configuration.cni, {
    allow: [],
    bin_path: [],
    conf_path: "/etc/cni/conf.d",
    network_name: "fcnet",
    interface_name: "veth0",
    subnet: "192.168.127.0/24",
    nameservers: [],
  });
  assert.deepEqual(Object.keys(configuration.host_services.services), [
    "http",
    "kv",
    "messaging",
    "objectstore",
  ]);
  assert.ok(Object.values(configuration.host_services.services).every(({ enabled }) => enabled));
});

test("a named service replaces its default entry: without enabled it is off", () => {
  const { host_services: settings } = parseConfiguration(
    { ...bare, host_services: { services: { kv: { config: { bucket_name: "b" } } } } },
    "test",
  );
  assert.equal(settings.services["kv"]?.enabled, false);
  assert.equal(settings.services["http"]?.enabled, true);
});

test("null host services and an empty list of types mean the defaults", () => {
  const configuration = parseConfiguration({ ...bare, host_services: null, workload_types: [] }, "test");
  assert.deepEqual(configuration, parseConfiguration(bare, "test"));
});

test("functions have the documented limits unless they are configured", () => {
  const { functions } = parseConfiguration({ ...bare, functions: { timeout_ms: 60_000 } }, "test");
  assert.deepEqual(functions, {
    max_source_bytes: 5 * 1024 * 1024,
    timeout_ms: 60_000,
    memory_mib: 128,
    concurrency: availableParallelism(),
  });
});

const refusals: readonly [name: string, input: unknown, message: RegExp][] = [
  [
    "an unknown key",
    { ...bare, machine_pool_sise: 2 },
    /unknown key "machine_pool_sise" \(did you mean "machine_pool_size"\?\)/,
  ],
  [
    "an unknown nested key",
    { ...bare, cni: { subnets: "x" } },
    /unknown key "cni\.subnets" \(did you mean "subnet"\?\)/,
  ],
  [
    "a wrong name of a function limit",
    { ...bare, functions: { timeout_s: 1 } },
    /unknown key "functions\.timeout_s" \(did you mean "timeout_ms"\?\)/,
  ],
  ["no time for functions", { ...bare, functions: { timeout_ms: 0 } }, /"functions\.timeout_ms"/],
  ["more memory than there can be", { ...bare, functions: { memory_mib: 4097 } }, /"functions\.memory_mib"/],
  ["no concurrency", { ...bare, functions: { concurrency: 0 } }, /"functions\.concurrency"/],
  ["a wrong type", { ...bare, tags: { a: 1 } }, /"tags\.a": .*expected string/],
  ["an empty pool", { ...bare, machine_pool_size: 0 }, /machine pool size must be >= 1/],
  ["an unknown workload type", { ...bare, workload_types: ["oci"] }, /"workload_types\.0"/],
  ["no kernel in sandbox mode", {}, /invalid kernel file setting/],
  ["no root file system in sandbox mode", { kernel_file: "/k" }, /invalid rootfs file setting/],
  ["a list", [], /expected object/],
];

for (const [name, input, message] of refusals) {
  test(`a configuration with ${name} is refused`, () => {
    const linux = process.platform === "linux" || !/sandbox mode/.test(name);
    assert.throws(() => parseConfiguration(input, "test"), {
      code: "CONFIGURATION_INVALID",
      message: linux ? message : /no sandbox mode/,
    });
  });
}

test("loadConfiguration puts overrides before the file and synonyms beside the names of the reference", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nex-test-configuration-"));
  try {
    const path = join(directory, "config.json");
    await writeFile(
      path,
      JSON.stringify({ default_resource_dir: "/tmp/wd", rootfs_file: "/r", machine_pool_size: 3 }),
    );
    const configuration = await loadConfiguration(path, { no_sandbox: true });
    assert.equal(configuration.machine_pool_size, 3);
    assert.equal(configuration.no_sandbox, true);
    assert.equal(configuration.kernel_filepath, "/tmp/wd/vmlinux");
    assert.equal(configuration.rootfs_filepath, "/r");
    await writeFile(path, "{");
    await assert.rejects(loadConfiguration(path), { code: "CONFIGURATION_INVALID", message: /not JSON/ });
    await assert.rejects(loadConfiguration(join(directory, "none.json")), {
      code: "CONFIGURATION_INVALID",
      message: /ENOENT/,
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});
