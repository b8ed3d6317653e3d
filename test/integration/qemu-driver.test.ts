/** Real guests under software emulation, with Debian's kernel. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { firstChild } from "../../src/lib/process-table.ts";
import { bootGuest, probeAccelerator } from "../../src/sandbox/qemu/probe-accelerator.ts";
import type { MachineImages } from "../../src/sandbox/virtual-machine.ts";
import { QEMU, createTestQemuDriver, makeBehavingGuest, recordPublications } from "../support/qemu-bench.ts";
import { findTestKernel, makeTestGuest } from "../support/test-guest.ts";
import type { TestKernel } from "../support/test-guest.ts";
import { cannotMakeNetworks } from "../support/test-network.ts";
import { createTestBench, describeMachineDriverContract } from "../support/virtual-machine-contract.ts";
import type { GuestBehaviour } from "../support/virtual-machine-contract.ts";

const STARTER = fileURLToPath(new URL("./fixtures/qemu-starter.ts", import.meta.url));
const BOOT_MS = 100_000;
const kernel = await findTestKernel();
const skip = typeof kernel === "string" ? kernel : cannotMakeNetworks();

let directory = "";
const guests = new Map<GuestBehaviour, MachineImages>();

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-qemu-"));
  if (skip !== false) return;
  for (const guest of ["stays", "leaves", "floods"] as const) {
    guests.set(guest, await makeBehavingGuest(directory, guest));
  }
});
after(() => rm(directory, { recursive: true, force: true }));

describeMachineDriverContract("qemu", {
  makeDriver: (parts) => createTestQemuDriver({ ...parts, images: guestOf(parts.guest) }),
  makeBrokenDriver: (parts) =>
    createTestQemuDriver({ ...parts, images: { ...guestOf("stays"), rootfs: "/nonexistent/rootfs" } }),
  starter: ({ temporaryDirectory, namespacePrefix, id }) => [
    process.execPath,
    STARTER,
    join(directory, "starter"),
    temporaryDirectory,
    namespacePrefix,
    id,
  ],
  metadata: () => ({}),
  bootMs: BOOT_MS,
  abortAfterMs: [0, 20, 100, 200, 400],
  skip,
});

describe("QEMU driver", { skip, timeout: 230_000 }, () => {
  test("gives the guest its disk, address and memory, and writes nothing to the image", async () => {
    await using bench = await createTestBench();
    const images = await makeTestGuest(join(directory, "report"), requireKernel(), REPORT);
    await using driver = createTestQemuDriver({ ...bench, images });
    const lines: string[] = [];
    await using sandbox = await driver.start(spec("report1"), { onOutput: ({ line }) => lines.push(line) });
    const namespace = [...bench.network.attached][0] ?? "";
    const report = await listenInNamespace(namespace);
    assert.match(
      report,
      /ip=192\.168\.127\.7::192\.168\.127\.1:255\.255\.255\.0:::off:1\.1\.1\.1:9\.9\.9\.9:$/m,
      lines.slice(-5).join("\n"),
    );
    assert.match(report, /^mac 5a:65:8e:fa:7f:25$/m);
    assert.match(report, /^disk 16384 root drive$/m);
    assert.match(report, /^wrote scribbled$/m);
    const memory = Number(/^MemTotal: +(\d+) kB$/m.exec(report)?.[1]);
    assert.ok(memory > 100_000 && memory < 160_000, `${memory} kB`);
    assert.deepEqual(await sandbox.exit, { kind: "exited", code: 0 });
    assert.equal((await readFile(images.rootfs, "latin1")).slice(0, 10), "root drive");
  });

  test("publishes metadata for the address of the machine, runs as nobody, and tells when it is killed", async () => {
    await using bench = await createTestBench();
    const metadata = recordPublications();
    const bandwidth = { size: 1e6, refillTimeMs: 100 };
    await using driver = createTestQemuDriver({
      ...bench,
      images: guestOf("stays"),
      more: { metadata, rateLimiters: { bandwidth } },
    });
    await using sandbox = await driver.start({ ...spec("test1"), metadata: { vmid: "test1" } });
    assert.deepEqual(bench.network.bandwidths, [bandwidth]);
    assert.deepEqual([...metadata.published], [["192.168.127.7", { vmid: "test1" }]]);
    const shell = await firstChild(sandbox.pid);
    const qemu = await firstChild(shell?.pid ?? 0);
    const status = readFileSync(`/proc/${qemu?.pid}/status`, "utf8");
    assert.match(status, /^Name:\tqemu-system/m);
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    process.kill(qemu?.pid ?? sandbox.pid, "SIGKILL");
    assert.deepEqual(await sandbox.exit, { kind: "signaled", signal: "SIGKILL" });
    assert.deepEqual([...metadata.published], []);
    await bench.assertNothingLeft();
  });

  test("says in the error why QEMU does not start", async () => {
    await using bench = await createTestBench();
    const images = { ...guestOf("stays"), rootfs: "/nonexistent/rootfs" };
    await using driver = createTestQemuDriver({ ...bench, images });
    await assert.rejects(driver.start(spec("test1")), {
      code: "SANDBOX_START_FAILED",
      message: /ended with exit code 1; .*Could not open '\/nonexistent\/rootfs'/,
    });
  });

  test("probe names what is missing, and the accelerator", async () => {
    await using bench = await createTestBench();
    const probeWith = async (more: object): Promise<string> => {
      await using driver = createTestQemuDriver({ ...bench, images: guestOf("stays"), more });
      const probe = await driver.probe();
      return probe.kind === "ready" ? probe.detail : probe.reason;
    };
    assert.match(await probeWith({ program: "/nonexistent/qemu" }), /no QEMU .*qemu-system-x86/);
    const images = { ...guestOf("stays"), rootfs: "/nonexistent/rootfs" };
    assert.match(await probeWith({ images }), /no file "\/nonexistent\/rootfs"/);
    const kernelOnly = { kernel: { path: guestOf("stays").kernel.path }, rootfs: guestOf("stays").rootfs };
    assert.match(
      await probeWith({ images: kernelOnly }),
      /QEMU \(microvm\) cannot boot the kernel .*no virtio built in.*initrd_filepath/,
    );
    assert.match(await probeWith({}), /\(QEMU, software emulation\)/);
  });
});

describe("boot probe", { skip, timeout: 230_000 }, () => {
  const common = { program: QEMU, machine: "q35" } as const;

  test("a guest that says so and powers off has booted", async () => {
    const images = await makeTestGuest(join(directory, "probe"), requireKernel(), PROBE);
    const probe = await bootGuest({ ...common, images, timeoutMs: BOOT_MS }, "tcg");
    assert.deepEqual(probe, { kind: "booted" });
  });

  test("a guest that ends without having said so, or says nothing in time, has not", async () => {
    const probe = await bootGuest({ ...common, images: guestOf("leaves"), timeoutMs: BOOT_MS }, "tcg");
    assert.equal(probe.kind, "failed");
    const late = await bootGuest({ ...common, images: guestOf("stays"), timeoutMs: 1000 }, "tcg");
    assert.ok(late.kind === "failed" && late.reason.includes("within 1000 ms"), JSON.stringify(late));
  });

  test("the verdict on KVM comes from a guest, and is kept for the same images", async () => {
    const images = await makeTestGuest(join(directory, "kvm"), requireKernel(), PROBE);
    const cacheFile = join(directory, "verdicts", "accelerator.json");
    const verdict = await probeAccelerator({ ...common, images, cacheFile });
    assert.match(verdict.reason, /a guest booted with KVM|KVM does not work here: .|cannot open/);
    const kept = JSON.parse(await readFile(cacheFile, "utf8")) as object;
    assert.deepEqual({ ...verdict, ...kept }, kept);
    // A program that cannot run would give another verdict, had it been asked.
    assert.deepEqual(await probeAccelerator({ ...common, images, cacheFile, timeoutMs: 1 }), verdict);
  });
});

const PROBE = `case " $CMDLINE " in *" nex.probe "*) echo "nex-probe: ok";; esac`;

/** Takes the address it was given, writes to its disk, and tells the gateway what it sees. */
const REPORT = `
address=$(echo "$CMDLINE" | sed 's/.*ip=\\([^:]*\\):.*/\\1/')
ip addr add $address/24 dev eth0
ip link set eth0 up
disk="disk $(cat /sys/block/vda/size) $(dd if=/dev/vda bs=10 count=1 2>/dev/null)"
printf scribbled | dd of=/dev/vda conv=notrunc 2>/dev/null
sync
{
  cat /proc/cmdline
  echo "mac $(cat /sys/class/net/eth0/address)"
  echo "$disk"
  echo "wrote $(dd if=/dev/vda bs=9 count=1 2>/dev/null)"
  grep MemTotal /proc/meminfo
} > /report
until nc -w 20 192.168.127.1 4222 < /report; do sleep 1; done
`;

/** Takes one connection and returns what it brings. */
async function listenInNamespace(namespace: string): Promise<string> {
  const listener = spawn("ip", ["netns", "exec", namespace, "busybox", "nc", "-l", "-p", "4222"], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: BOOT_MS,
  });
  let text = "";
  for await (const chunk of listener.stdout.setEncoding("utf8")) text += String(chunk);
  return text;
}

function guestOf(guest: GuestBehaviour): MachineImages {
  const images = guests.get(guest);
  if (images === undefined) throw new Error(`there are no images of a guest that ${guest}`);
  return images;
}

function requireKernel(): TestKernel {
  if (typeof kernel === "string") throw new Error(kernel);
  return kernel;
}

function spec(id: string): Parameters<ReturnType<typeof createTestQemuDriver>["start"]>[0] {
  return { id, metadata: {}, resources: { vcpuCount: 1, memoryMiB: 160 } };
}
