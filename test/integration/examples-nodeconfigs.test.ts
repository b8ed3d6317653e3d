import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadConfiguration } from "../../src/node/configuration.ts";
import type { NodeConfiguration } from "../../src/node/configuration.ts";

const directory = join(import.meta.dirname, "..", "..", "examples", "nodeconfigs");

/** What each file is there to show. */
const purposes: Record<string, (configuration: NodeConfiguration) => unknown> = {
  "simple.json": ({ no_sandbox, machine_pool_size, tags, kernel_filepath, rootfs_filepath }) => [
    [no_sandbox, machine_pool_size, tags, kernel_filepath, rootfs_filepath],
    [false, 1, { simple: "true" }, "/tmp/wd/vmlinux", "/tmp/wd/rootfs.ext4"],
  ],
  "qemu.json": ({ sandbox, no_sandbox, internal_node_host, public_nats_server }) => [
    [sandbox, no_sandbox, public_nats_server?.addr],
    ["qemu", false, internal_node_host],
  ],
  "nosandbox.json": ({ no_sandbox }) => [no_sandbox, true],
  "limited_issuers.json": ({ valid_issuers }) => [
    valid_issuers.every((key) => /^A[A-Z2-7]{55}$/.test(key)) && valid_issuers.length,
    2,
  ],
  "rate_limited.json": ({ rate_limiters }) => [
    [rate_limiters?.bandwidth?.size, rate_limiters?.iops?.size],
    [2_097_152, 1000],
  ],
  "custom_cni_subnet.json": ({ cni, internal_node_host }) => [
    [cni.subnet, internal_node_host],
    ["10.10.10.0/24", "10.10.10.1"],
  ],
  "hostservices_config.json": ({ host_services: { services } }) => [
    [
      services.http.enabled,
      services.kv.enabled,
      services.kv.config.bucket_name,
      services.kv.config.jit_provision,
    ],
    [false, true, "shared_functions", false],
  ],
  "autostart_config.json": ({ autostart }) => [
    autostart?.workloads.map(({ type, location }) => [type, location]),
    [["v8", "nats://NEXCLIFILES/echojs"]],
  ],
  "public_nats_server.json": ({ public_nats_server }) => [
    [public_nats_server?.port, public_nats_server?.jetstream],
    [4222, true],
  ],
};

describe("Example node configurations", () => {
  it("are all listed here", async () => {
    assert.deepEqual((await readdir(directory)).toSorted(), Object.keys(purposes).toSorted());
  });

  for (const [file, purpose] of Object.entries(purposes)) {
    it(`${file} is accepted and shows what it is for`, async (test) => {
      const sandboxed = !file.match(/nosandbox|hostservices|autostart|public/);
      if (sandboxed && process.platform !== "linux") {
        test.skip("sandboxed nodes need Linux");
        return;
      }
      const [actual, expected] = purpose(await loadConfiguration(join(directory, file))) as [
        unknown,
        unknown,
      ];
      assert.deepEqual(actual, expected);
    });
  }
});
