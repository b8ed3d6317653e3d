import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelDescription } from "./describe-kernel.ts";
import { kernelProblem } from "./kernel-problem.ts";
import type { KernelHost } from "./kernel-problem.ts";

const OWN: KernelDescription = {
  format: "elf",
  architecture: "x64",
  version: "6.1.0",
  hasPvhEntry: true,
  virtio: "built-in",
  ext4: "built-in",
  takesDevicesFromCommandLine: true,
};
const HOSTS: readonly KernelHost[] = ["firecracker", "q35", "microvm"];

/** Of each host: whether it boots the kernel, else the reason. */
function outcomes(change: Partial<KernelDescription>, hasInitrd = false): readonly (string | undefined)[] {
  const kernel = { ...OWN, ...change };
  return HOSTS.map((host) => kernelProblem(kernel, { host, hasInitrd, architecture: "x64" })?.reason);
}

test("kernelProblem lets everything boot an ELF kernel with a PVH entry and all that is needed built in", () => {
  assert.deepEqual(outcomes({}), [undefined, undefined, undefined]);
});

test("kernelProblem refuses formats: a bzImage in Firecracker, an ELF file without a PVH entry in QEMU", () => {
  const [firecracker, ...qemu] = outcomes({ format: "bzImage", hasPvhEntry: false });
  assert.match(firecracker ?? "", /a bzImage, and Firecracker boots uncompressed ELF/);
  assert.deepEqual(qemu, [undefined, undefined]);
  const [own, ...others] = outcomes({ hasPvhEntry: false });
  assert.equal(own, undefined);
  for (const reason of others) assert.match(reason ?? "", /without a PVH entry/);
});

test("kernelProblem wants an initrd for what is not built in, and none for what may be", () => {
  for (const reason of outcomes({ virtio: "modules" })) assert.match(reason ?? "", /no virtio built in/);
  for (const reason of outcomes({ ext4: "modules" })) assert.match(reason ?? "", /no ext4 built in/);
  assert.match(outcomes({ virtio: "modules", ext4: "modules" })[1] ?? "", /no virtio and no ext4 built in/);
  assert.deepEqual(outcomes({ virtio: "modules", ext4: "modules" }, true), [undefined, undefined, undefined]);
  const unknown = { virtio: "unknown", ext4: "unknown", takesDevicesFromCommandLine: undefined } as const;
  assert.deepEqual(outcomes(unknown), [undefined, undefined, undefined]);
});

test("kernelProblem keeps a kernel that takes no devices from its command line from a microvm", () => {
  const [firecracker, q35, microvm] = outcomes({ takesDevicesFromCommandLine: false });
  assert.deepEqual([firecracker, q35], [undefined, undefined]);
  assert.match(microvm ?? "", /takes no devices from its command line/);
});

test("kernelProblem refuses kernels for another processor, and wants an Image on arm64", () => {
  const of = (change: Partial<KernelDescription>, architecture: string): string | undefined =>
    kernelProblem({ ...OWN, ...change }, { host: "firecracker", hasInitrd: false, architecture })?.reason;
  assert.match(of({}, "arm64") ?? "", /it is for x64, and this host is arm64/);
  assert.match(of({ architecture: "arm64" }, "arm64") ?? "", /no arm64 Image/);
  assert.equal(of({ architecture: "arm64", format: "image" }, "arm64"), undefined);
});
