/** A real Firecracker boots a real guest, where there is one and a guest boots with KVM. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { findProgram } from "../../src/lib/find-program.ts";
import { extractVmlinux } from "../../src/sandbox/kernel/describe-kernel.ts";
import { probeFirecracker } from "../../src/sandbox/firecracker/probe-firecracker.ts";
import { probeAccelerator } from "../../src/sandbox/qemu/probe-accelerator.ts";
import { createTestFirecrackerDriver } from "../support/firecracker-bench.ts";
import { QEMU } from "../support/qemu-bench.ts";
import { findTestKernel, makeTestGuest } from "../support/test-guest.ts";
import { cannotMakeNetworks } from "../support/test-network.ts";
import { until } from "../support/until.ts";
import { createTestBench } from "../support/virtual-machine-contract.ts";

const program = await findProgram("firecracker", { path: process.env["PATH"] ?? "" });

test("Firecracker boots a guest, which leaves by itself", { timeout: 200_000 }, async (t) => {
  const root = cannotMakeNetworks();
  if (program === undefined) return t.skip("there is no firecracker in PATH");
  if (root !== false) return t.skip(root);
  const kernel = await findTestKernel();
  if (typeof kernel === "string") return t.skip(kernel);
  await using bench = await createTestBench();
  const files = join(bench.temporaryDirectory, "files");
  const script = `case " $CMDLINE " in *" nex.probe "*) echo "nex-probe: ok";; *) echo "guest is up"; sleep 2;; esac`;
  const images = await makeTestGuest(files, kernel, script);
  const verdict = await probeAccelerator({ program: QEMU, images, machine: "q35" });
  if (verdict.accelerator !== "kvm") return t.skip(verdict.reason);
  const vmlinux = join(files, "vmlinux");
  await extractVmlinux(kernel.path, vmlinux);
  const bootable = { ...images, kernel: { ...images.kernel, path: vmlinux } };
  await using driver = createTestFirecrackerDriver({
    ...bench,
    files: { program, kernel: vmlinux, rootfs: images.rootfs },
    more: { images: bootable },
  });
  const { boots, reason } = await probeFirecracker({ program, images: bootable });
  assert.equal(boots, true, reason);
  assert.equal((await driver.probe()).kind, "ready");
  const lines: string[] = [];
  await using sandbox = await driver.start(
    { id: bench.id, metadata: {}, resources: { vcpuCount: 1, memoryMiB: 256 } },
    { onOutput: ({ line }) => lines.push(line) },
  );
  await until(() => lines.some((line) => line.includes("guest is up")), { timeoutMs: 30_000 });
  assert.deepEqual(await sandbox.exit, { kind: "exited", code: 0 });
});
