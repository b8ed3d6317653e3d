// Kernel and root file system that preflight makes itself, booted for real. Debian is out of reach: apt-get is a stand-in.
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import { imageMakers } from "../../src/cli/preflight/image-makers.ts";
import { loadConfiguration } from "../../src/node/configuration.ts";
import { hostPlan } from "../../src/node/host-plan.ts";
import { describeKernel } from "../../src/sandbox/kernel/describe-kernel.ts";
import { makePreflightHost } from "../support/preflight-host.ts";
import type { PreflightHost } from "../support/preflight-host.ts";
import { vmAssets } from "../support/vm-assets.ts";

const assets = await vmAssets();
const skip = assets.kind === "missing" ? assets.reason : false;
const BOOT_MS = 180_000;

/** A host on which an earlier preflight has downloaded Debian's kernel, and that has the real QEMU. */
async function hostWithKernel(): Promise<PreflightHost> {
  assert.ok(assets.kind === "ready");
  const host = await makePreflightHost({});
  host.configure({ downloads: {}, bin_path: [dirname(assets.qemu)] });
  const kept = host.path("home", ".cache", "nex", "downloads", "kernels", "linux-image-6.1.0-9-cloud-amd64");
  await mkdir(kept, { recursive: true });
  await cp(assets.kernel, `${kept}/vmlinuz`);
  await cp(assets.initrd, `${kept}/initrd`);
  return host;
}

describe("nex node preflight without a mirror", { skip }, () => {
  test(
    "makes kernel, initrd and root file system, and a guest boots from them",
    { timeout: BOOT_MS },
    async () => {
      await using host = await hostWithKernel();
      const { code, stdout, stderr } = await host.preflight(["--yes"], { timeoutMs: BOOT_MS });
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /^✅ Dependency Satisfied - .*\/busybox \[busybox, to make images\]$/m);
      assert.match(stdout, /^✅ Dependency Satisfied - .*\/mke2fs \[mke2fs, to make images\]$/m);
      assert.match(
        stderr,
        /^… Taking linux-image-6\.1\.0-9-cloud-amd64 from an earlier download \(.*apt-get/m,
      );
      assert.match(
        stdout,
        /^(?:✅ Virtualization - KVM boots a guest|🟡 Virtualization - software emulation: .*)$/m,
      );
      assert.deepEqual((await readdir(host.path("resources"))).sort(), [
        "initrd",
        "preflight.json",
        "rootfs.ext4",
        "vmlinux",
      ]);
      const kernel = await describeKernel(host.path("resources", "vmlinux"));
      assert.deepEqual([kernel.format, kernel.hasPvhEntry], ["elf", true]);
      const again = await host.preflight();
      assert.deepEqual([again.code, again.stderr], [0, ""]);
      assert.doesNotMatch(again.stdout, /to make images/);
    },
  );

  test("an initrd of somebody else is left alone", async () => {
    await using host = await hostWithKernel();
    const configuration = await loadConfiguration(host.path("node.json"));
    const plan = hostPlan(configuration, `${host.path("bin")}:${process.env["PATH"] ?? ""}`);
    await mkdir(host.path("resources"));
    await writeFile(plan.initrd, "mine");
    await assert.rejects(
      imageMakers(plan).kernel.install({
        target: plan.kernel,
        cacheDirectory: host.path("home", ".cache", "nex", "downloads"),
        environment: { PATH: host.path("bin") },
        report: () => {},
        signal: undefined,
        force: false,
      }),
      { code: "PREFLIGHT_FAILED", message: /initrd" is there already/ },
    );
    assert.equal(await readFile(plan.initrd, "utf8"), "mine");
    assert.deepEqual(await readdir(host.path("resources")), ["initrd"]);
  });
});
