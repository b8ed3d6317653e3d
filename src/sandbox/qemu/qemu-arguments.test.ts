import assert from "node:assert/strict";
import { test } from "node:test";
import { qemuArguments } from "./qemu-arguments.ts";
import type { QemuMachine } from "./qemu-arguments.ts";

const NETWORK = {
  namespace: "vm1",
  tapName: "tap0",
  macAddress: "5a:65:8e:fa:7f:25",
  address: "192.168.127.7",
  netmask: "255.255.255.0",
  gateway: "192.168.127.1",
  nameservers: [],
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
const MACHINE: QemuMachine = {
  name: "vm1",
  images: { kernel: { path: "/k" }, rootfs: "/a,b" },
  machine: "microvm",
  accelerator: "kvm",
  resources: { vcpuCount: 2, memoryMiB: 256 },
  network: NETWORK,
};

test("qemuArguments describes a microvm without PCI, and a PC with an initrd", () => {
  const microvm = qemuArguments(MACHINE);
  assert.deepEqual(valuesOf(microvm, "-M"), ["microvm,acpi=off"]);
  assert.deepEqual(valuesOf(microvm, "-cpu"), ["host"]);
  assert.deepEqual(valuesOf(microvm, "-initrd"), []);
  assert.deepEqual(valuesOf(microvm, "-device"), [
    "virtio-blk-device,drive=root",
    "virtio-net-device,netdev=net,mac=5a:65:8e:fa:7f:25",
  ]);
  const kernel = { path: "/k", initrd: "/i" };
  const pc = qemuArguments({
    ...MACHINE,
    machine: "q35",
    accelerator: "tcg",
    images: { kernel, rootfs: "/r" },
  });
  assert.deepEqual(valuesOf(pc, "-M"), ["q35,usb=off,vmport=off"]);
  assert.deepEqual(valuesOf(pc, "-cpu"), ["max"]);
  assert.deepEqual(valuesOf(pc, "-initrd"), ["/i"]);
  assert.match(valuesOf(pc, "-device").join(" "), /virtio-blk-pci.* virtio-net-pci.*romfile=$/);
});

test("qemuArguments never lets QEMU write to the image, whatever its name is", () => {
  assert.deepEqual(valuesOf(qemuArguments(MACHINE), "-drive"), [
    "id=root,if=none,format=raw,snapshot=on,file=/a,,b",
  ]);
});

test("qemuArguments gives the guest's kernel only what everybody may read", () => {
  assert.deepEqual(valuesOf(qemuArguments({ ...MACHINE, bootArguments: ["nex.probe"] }), "-append"), [
    "console=ttyS0 quiet reboot=t panic=-1 root=/dev/vda rw ip=192.168.127.7::192.168.127.1:255.255.255.0:::off::: nex.probe",
  ]);
});

test("qemuArguments keeps an emulated guest from panicking on a busy host", () => {
  const { network: _network, ...machine } = MACHINE;
  assert.deepEqual(valuesOf(qemuArguments({ ...machine, accelerator: "tcg" }), "-append"), [
    "console=ttyS0 quiet reboot=t panic=-1 root=/dev/vda rw no_timer_check",
  ]);
});

function valuesOf(argv: readonly string[], option: string): readonly (string | undefined)[] {
  return argv.flatMap((word, index) => (word === option ? [argv[index + 1]] : []));
}
