// What `nex node preflight` says about the kernel: which monitors can boot it, and what to do when none can.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { bzImage, elfKernel } from "../support/kernel-file.ts";
import { makePreflightHost, whatPreflightMisses } from "../support/preflight-host.ts";
import type { PreflightHost } from "../support/preflight-host.ts";
import type { NexResult } from "../support/run-nex.ts";

const skip = await whatPreflightMisses();

/** A host with a kernel of the user's own, and no initrd. */
async function makeHost(kernel: Buffer, sandbox: string): Promise<PreflightHost> {
  const host = await makePreflightHost({});
  await mkdir(host.path("resources"));
  await writeFile(host.path("resources", "vmlinux"), kernel);
  host.configure({ sandbox, downloads: host.downloads("rootfs", "tc_redirect_tap") });
  return host;
}

function kernelLine({ stdout }: NexResult): string {
  return stdout.split("\n").find((line) => line.includes(" Kernel - ")) ?? "";
}

describe("nex node preflight and the kernel", { skip, concurrency: 2 }, () => {
  test("says that both monitors can boot a kernel with everything built in", async () => {
    await using host = await makeHost(elfKernel(), "qemu");
    const result = await host.preflight(["--yes"]);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(kernelLine(result), "✅ Kernel - 6.1.0-nex, elf: Firecracker can boot it; QEMU can boot it");
    const json = JSON.parse((await host.preflight(["--json"])).stdout) as { readonly kernel: unknown };
    assert.deepEqual(json.kernel, { detail: "6.1.0-nex, elf", firecracker: null, qemu: null });
  });

  test("a kernel that the configured monitor cannot boot ends with 1 and the next step, and boots nothing", async () => {
    for (const [kernel, sandbox, reason, hint] of [
      [elfKernel({ pvh: false }), "qemu", /Firecracker can boot it; QEMU cannot: .*PVH entry/, /CONFIG_PVH/],
      [bzImage(), "firecracker", /Firecracker cannot: .*bzImage.*; QEMU can boot it$/, /extract-vmlinux/],
      [elfKernel({ virtio: false }), "auto", /QEMU cannot: .*no virtio built in/, /initrd_filepath/],
      [Buffer.from("no kernel ".repeat(100)), "qemu", /neither ELF, bzImage nor an arm64 image/, /--force/],
    ] as const) {
      await using host = await makeHost(kernel, sandbox);
      await writeFile(host.path("bin", "firecracker"), "#!/bin/sh\n", { mode: 0o755 });
      const result = await host.preflight(["--yes"]);
      assert.equal(result.code, 1, result.stdout);
      assert.match(kernelLine(result), /^⛔ Kernel - /);
      assert.match(kernelLine(result), reason);
      assert.match(result.stdout, /^⛔ Virtualization - nothing here can boot the kernel$/m);
      assert.match(result.stderr, /^nex: error: This host runs no virtual machines$/m);
      assert.match(result.stderr, new RegExp(`^hint: .*${hint.source}`, "m"));
      assert.deepEqual(await host.boots(), []);
      const check = await host.preflight(["--check"]);
      assert.deepEqual([check.code, kernelLine(check)], [0, kernelLine(result)]);
    }
  });

  test("with either monitor allowed, one that can boot the kernel is enough", async () => {
    await using host = await makeHost(bzImage(), "auto");
    await writeFile(host.path("bin", "firecracker"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const result = await host.preflight(["--yes"]);
    assert.equal(result.code, 0, result.stderr);
    assert.match(
      kernelLine(result),
      /^🟡 Kernel - 6\.1\.0-nex, bzImage: Firecracker cannot: .*; QEMU can boot it$/,
    );
    assert.match(result.stdout, /^🟡 Virtualization - software emulation: /m);
  });
});
