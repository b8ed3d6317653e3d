// What Debian's kernel is, seen from its file, and the ELF file inside it.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runTool } from "../../src/lib/run-tool.ts";
import { makeTemporaryDirectory } from "../../src/lib/temporary-directory.ts";
import { describeKernel, extractVmlinux } from "../../src/sandbox/kernel/describe-kernel.ts";
import { bzImage, elfKernel } from "../support/kernel-file.ts";
import { vmAssets } from "../support/vm-assets.ts";

const assets = await vmAssets();
const skip = assets.kind === "missing" ? assets.reason : false;

test(
  "describeKernel tells that Debian's kernel needs modules, and extractVmlinux unpacks it",
  { skip },
  async () => {
    assert.ok(assets.kind === "ready");
    await using place = await makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-kernel-test" });
    const packed = await describeKernel(assets.kernel);
    assert.match(packed.version ?? "", /^\d+\.\d+\.\d+-.*cloud-amd64$/);
    const expected = {
      architecture: "x64",
      version: packed.version,
      virtio: "modules",
      ext4: "built-in",
      takesDevicesFromCommandLine: false,
    };
    assert.deepEqual(packed, { format: "bzImage", hasPvhEntry: false, ...expected });
    const vmlinux = join(place.path, "vmlinux");
    await extractVmlinux(assets.kernel, vmlinux);
    assert.deepEqual(await describeKernel(vmlinux), { format: "elf", hasPvhEntry: true, ...expected });
  },
);

test(
  "the initramfs is a cpio archive that cpio reads, with modules after what they need",
  { skip },
  async () => {
    assert.ok(assets.kind === "ready");
    const list = await runTool({
      program: "busybox",
      argv: ["cpio", "-t", "-F", assets.initrd],
      environment: { PATH: "/usr/bin:/bin" },
      timeoutMs: 20_000,
    });
    const names = list.split("\n").flatMap((line) => /^modules\/(\w+)\.ko$/.exec(line)?.[1] ?? []);
    for (const [module, needed] of [
      ["virtio_blk", "virtio"],
      ["virtio_net", "net_failover"],
      ["net_failover", "failover"],
      ["virtio_pci", "virtio_pci_modern_dev"],
    ] as const) {
      assert.ok(names.indexOf(needed) >= 0 && names.indexOf(needed) < names.indexOf(module), list);
    }
  },
);

test("describeKernel tells what a kernel has built in, also of one that is compressed", async () => {
  await using place = await makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-kernel-test" });
  const path = join(place.path, "kernel");
  const builtIn = { virtio: "built-in", ext4: "built-in", takesDevicesFromCommandLine: true } as const;
  const common = { architecture: "x64", version: "6.1.0-nex" } as const;
  await writeFile(path, elfKernel());
  assert.deepEqual(await describeKernel(path), { ...common, ...builtIn, format: "elf", hasPvhEntry: true });
  await writeFile(path, bzImage({ ext4: false }));
  assert.deepEqual(await describeKernel(path), {
    ...common,
    ...builtIn,
    ext4: "modules",
    format: "bzImage",
    hasPvhEntry: false,
  });
  await writeFile(path, elfKernel({ pvh: false, virtio: false, devices: false }));
  assert.deepEqual(await describeKernel(path), {
    ...common,
    format: "elf",
    hasPvhEntry: false,
    virtio: "modules",
    ext4: "built-in",
    takesDevicesFromCommandLine: false,
  });
});

test("describeKernel refuses files that are no kernels", async () => {
  await using place = await makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-kernel-test" });
  const path = join(place.path, "text");
  await writeFile(path, "no kernel ".repeat(200));
  await assert.rejects(describeKernel(path), { code: "KERNEL_INVALID", message: /neither ELF, bzImage nor/ });
  await assert.rejects(extractVmlinux(path, join(place.path, "out")), { code: "KERNEL_INVALID" });
  await assert.rejects(describeKernel(join(place.path, "absent")), { code: "KERNEL_INVALID" });
  await writeFile(path, (await readFile(process.execPath)).subarray(0, 100_000));
  assert.equal((await describeKernel(path)).hasPvhEntry, false);
});
