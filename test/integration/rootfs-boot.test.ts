// The image of `nex rootfs` and Debian's kernel with our initramfs, started for real under software emulation.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runTool } from "../../src/lib/run-tool.ts";
import { vmAssets } from "../support/vm-assets.ts";

const BOOT_LIMIT_MS = 120_000;

const assets = await vmAssets();
const skip = assets.kind === "missing" ? assets.reason : false;

test("a machine with nex.probe says that it runs, and ends its monitor", { skip }, async () => {
  assert.match(await boot("nex.probe"), /^.*nex-probe: ok\r?$/m);
});

test("the agent runs as the image's last word, and its end ends the monitor", { skip }, async () => {
  const console = await boot("nex.test");
  assert.match(console, /nex-agent: failed to obtain metadata/);
  assert.match(console, /nex-init: the agent ended with exit code 1\r?$/m);
});

async function boot(argument: string): Promise<string> {
  assert.ok(assets.kind === "ready");
  const { qemu, kernel, initrd, rootfs } = assets;
  return runTool({
    program: qemu,
    argv: [
      "-M",
      "q35",
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-m",
      "256",
      "-nodefaults",
      "-no-user-config",
      "-nographic",
      "-serial",
      "stdio",
      "-no-reboot",
      "-kernel",
      kernel,
      "-initrd",
      initrd,
      "-append",
      `console=ttyS0 quiet panic=1 root=/dev/vda rw ${argument}`,
      "-drive",
      `file=${rootfs},format=raw,if=none,id=root,snapshot=on`,
      "-device",
      "virtio-blk-pci,drive=root",
    ],
    environment: { PATH: "/usr/bin:/bin" },
    timeoutMs: BOOT_LIMIT_MS,
  });
}
