/**
 * Contract tests: the driver talks to a program that checks order and bodies of calls against Firecracker's own
 * description of its API, and boots nothing.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLogger } from "../../src/lib/logger.ts";
import { NexError } from "../../src/lib/errors.ts";
import {
  createTestFirecrackerDriver,
  makeFakeJailer,
  makeFirecrackerFiles,
} from "../support/firecracker-bench.ts";
import type { FirecrackerFiles } from "../support/firecracker-bench.ts";
import { canOpenKvm } from "../../src/sandbox/kvm.ts";
import { bzImage } from "../support/kernel-file.ts";
import { cannotMakeNetworks } from "../support/test-network.ts";
import { until } from "../support/until.ts";
import { createTestBench, describeMachineDriverContract } from "../support/virtual-machine-contract.ts";

const STARTER = fileURLToPath(new URL("./fixtures/firecracker-starter.ts", import.meta.url));
const skip = cannotMakeNetworks();
const SPEC = {
  id: "cpv0k3752omq9k2v7g10",
  metadata: {
    vmid: "cpv0k3752omq9k2v7g10",
    node_nats_host: "192.168.127.1",
    node_nats_port: 41977,
    node_nats_nkey: "SUAAMBQ",
    message: "Host-supplied metadata",
  },
  resources: { vcpuCount: 2, memoryMiB: 256 },
};
const BUCKET = { size: 1000, refillTimeMs: 100, oneTimeBurst: 50 };

let directory = "";
let files: FirecrackerFiles;
let refusing: FirecrackerFiles;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-fc-"));
  files = await makeFirecrackerFiles(join(directory, "good"));
  refusing = await makeFirecrackerFiles(join(directory, "bad"), ["--refuse", "PUT /actions"]);
});
after(() => rm(directory, { recursive: true, force: true }));

describeMachineDriverContract("firecracker", {
  makeDriver: (parts) => createTestFirecrackerDriver({ ...parts, files }),
  makeBrokenDriver: (parts) => createTestFirecrackerDriver({ ...parts, files: refusing }),
  starter: ({ temporaryDirectory, namespacePrefix, id }) => [
    process.execPath,
    STARTER,
    join(directory, "starter"),
    temporaryDirectory,
    namespacePrefix,
    id,
  ],
  metadata: (guest) => ({ vmid: "test1", guest }),
  bootMs: 10_000,
  abortAfterMs: [0, 5, 20, 60, 150, 300],
  skip,
});

describe("Firecracker driver", { skip }, () => {
  test("describes the machine in the order of protocol.md 11.2, with nothing secret on the kernel's command line", async () => {
    await using bench = await createTestBench();
    const own = await makeFirecrackerFiles(join(bench.temporaryDirectory, "files"));
    await using driver = createTestFirecrackerDriver({ ...bench, files: own });
    await using _ = await driver.start(SPEC);
    const calls = await own.calls();
    const [machines = ""] = (await readdir(bench.temporaryDirectory)).filter((name) => name !== "files");
    const machine = join(bench.temporaryDirectory, machines, SPEC.id);
    assert.deepEqual(
      calls.map(({ call, body }) => [call, body]),
      [
        [
          "PUT /logger",
          { log_path: join(machine, "firecracker.log"), show_level: true, show_log_origin: false },
        ],
        ["PUT /machine-config", { vcpu_count: 2, mem_size_mib: 256 }],
        [
          "PUT /boot-source",
          {
            kernel_image_path: own.kernel,
            boot_args:
              "console=ttyS0 quiet reboot=k panic=1 pci=off " +
              "ip=192.168.127.7::192.168.127.1:255.255.255.0:::off:1.1.1.1:9.9.9.9:",
          },
        ],
        [
          "PUT /drives/1",
          {
            drive_id: "1",
            path_on_host: join(machine, "rootfs.ext4"),
            is_root_device: true,
            is_read_only: false,
          },
        ],
        [
          "PUT /network-interfaces/1",
          { iface_id: "1", guest_mac: "5a:65:8e:fa:7f:25", host_dev_name: "tap0" },
        ],
        ["PUT /mmds/config", { version: "V2", network_interfaces: ["1"] }],
        ["PUT /actions", { action_type: "InstanceStart" }],
        ["PUT /mmds", SPEC.metadata],
      ],
    );
    const copy = await stat(join(machine, "rootfs.ext4"));
    assert.ok((await readFile(join(machine, "rootfs.ext4"))).equals(await readFile(own.rootfs)));
    assert.ok(copy.blocks * 512 < copy.size / 4, "the copy has holes where the image has zeros");
  });

  test("applies rate limiters to the drive and to both directions of the interface; boots with an initrd", async () => {
    await using bench = await createTestBench();
    const own = await makeFirecrackerFiles(join(bench.temporaryDirectory, "files"));
    await using driver = createTestFirecrackerDriver({
      ...bench,
      files: own,
      more: {
        rateLimiters: { bandwidth: BUCKET, iops: { size: 10, refillTimeMs: 1000 } },
        images: { kernel: { path: own.kernel, initrd: own.rootfs }, rootfs: own.rootfs },
      },
    });
    await using _ = await driver.start(SPEC);
    const bodyOf = async (call: string): Promise<Record<string, unknown>> =>
      (await own.calls()).find((entry) => entry.call === call)?.body as Record<string, unknown>;
    const bandwidth = { size: 1000, refill_time: 100, one_time_burst: 50 };
    assert.deepEqual((await bodyOf("PUT /drives/1"))["rate_limiter"], {
      bandwidth,
      ops: { size: 10, refill_time: 1000 },
    });
    const network = await bodyOf("PUT /network-interfaces/1");
    assert.deepEqual(
      [network["rx_rate_limiter"], network["tx_rate_limiter"]],
      [{ bandwidth }, { bandwidth }],
    );
    assert.deepEqual(bench.network.bandwidths, [undefined], "it limits its network itself");
    assert.equal((await bodyOf("PUT /boot-source"))["initrd_path"], own.rootfs);
  });

  for (const call of [
    "PUT /logger",
    "PUT /machine-config",
    "PUT /boot-source",
    "PUT /drives/1",
    "PUT /network-interfaces/1",
    "PUT /mmds/config",
    "PUT /actions",
    "PUT /mmds",
  ]) {
    test(`a start that is refused at ${call} says why and leaves nothing`, async () => {
      await assertStartFails(
        ["--refuse", call],
        new RegExp(`: ${call} was refused \\(400\\): The test refuses this`),
      );
    });
  }

  test("a start whose Firecracker dies on the way says how it ended and what it said last", async () => {
    await assertStartFails(
      ["--die", "PUT /drives/1"],
      /ended with exit code 148; .*panicked at 'the test says so'/,
    );
    await assertStartFails(["--die", "PUT /logger"], /ended with exit code 148/);
    await assertStartFails(["--unknown-flag"], /ended with exit code 1/);
  });

  test("a start whose Firecracker never listens gives up after three seconds", async () => {
    await assertStartFails(["--no-socket"], /there is no API socket after 3000 ms/);
  });

  test("what Firecracker logged is in the node's log when a machine ends by itself", async () => {
    await using bench = await createTestBench();
    const warnings: unknown[] = [];
    const logger = createLogger(({ level, message, fields }) => warnings.push([level, message, fields]));
    await using driver = createTestFirecrackerDriver({ ...bench, files, logger });
    await using sandbox = await driver.start({ ...SPEC, metadata: { guest: "panics" } });
    assert.deepEqual(await sandbox.exit, { kind: "exited", code: 1 });
    await until(() => warnings.length > 0);
    assert.match(JSON.stringify(warnings), /A virtual machine ended by itself.*the guest panicked/);
  });

  test("with a jailer Firecracker gets what it needs in its jail, and nothing of the jail is left", async () => {
    await using bench = await createTestBench();
    const own = await makeFirecrackerFiles(join(bench.temporaryDirectory, "files"));
    const fake = await makeFakeJailer(join(bench.temporaryDirectory, "files"));
    const jailer = { program: fake.program, uid: 1234, gid: 5678 };
    await using driver = createTestFirecrackerDriver({
      ...bench,
      files: own,
      more: { jailer, images: { kernel: { path: own.kernel, initrd: own.kernel }, rootfs: own.rootfs } },
    });
    await using sandbox = await driver.start({ ...SPEC, id: bench.id });
    const [machines = ""] = (await readdir(bench.temporaryDirectory)).filter((name) => name !== "files");
    const base = join(bench.temporaryDirectory, machines, bench.id);
    const options = { id: bench.id, "exec-file": own.program, uid: "1234", gid: "5678" };
    const places = { "chroot-base-dir": base, netns: `/var/run/netns/nextest${bench.id}` };
    assert.deepEqual(await fake.argv(), [
      ...Object.entries({ ...options, ...places }).flatMap(([name, value]) => [`--${name}`, value]),
      "--",
      "--api-sock",
      "/run/firecracker.socket",
    ]);
    const bodies = new Map((await own.calls()).map(({ call, body }) => [call, body as object]));
    const said = { ...bodies.get("PUT /logger"), ...bodies.get("PUT /boot-source") };
    const paths = { log_path: "/firecracker.log", kernel_image_path: "/kernel", initrd_path: "/initrd" };
    assert.deepEqual({ ...said, ...paths }, said);
    const jail = join(base, "firecracker", bench.id, "root");
    for (const name of ["rootfs.ext4", "firecracker.log"]) {
      const { uid, gid } = await stat(join(jail, name));
      assert.deepEqual([name, uid, gid], [name, 1234, 5678]);
    }
    assert.equal((await stat(own.kernel)).uid, process.getuid?.(), "the image stays ours");
    assert.deepEqual(await sandbox.stop(), { kind: "stopped", forced: false });
    await rm(join(bench.temporaryDirectory, "files"), { recursive: true });
    await bench.assertNothingLeft();
  });

  test("probe names what is missing and what to do", async () => {
    await using bench = await createTestBench();
    const reasonWith = async (wrong: Partial<typeof files>): Promise<string> => {
      await using driver = createTestFirecrackerDriver({ ...bench, files: { ...files, ...wrong } });
      const probe = await driver.probe();
      return probe.kind === "ready" ? probe.detail : probe.reason;
    };
    assert.match(
      await reasonWith({ program: "/nonexistent/firecracker" }),
      /no Firecracker .*nex node preflight/,
    );
    assert.match(await reasonWith({ kernel: files.rootfs }), /neither ELF, bzImage nor .*--force/);
    const packed = join(bench.temporaryDirectory, "bzImage");
    await writeFile(packed, bzImage());
    assert.match(
      await reasonWith({ kernel: packed }),
      /Firecracker cannot boot the kernel ".*": it is a bzImage, .*extract-vmlinux/,
    );
    assert.match(await reasonWith({ rootfs: "/nonexistent/rootfs" }), /no file "\/nonexistent\/rootfs"/);
    if (!(await canOpenKvm())) assert.match(await reasonWith({}), /^Cannot open "\/dev\/kvm"/);
  });
});

async function assertStartFails(flags: readonly string[], message: RegExp): Promise<void> {
  await using bench = await createTestBench();
  const broken = await makeFirecrackerFiles(
    join(directory, `broken${flags.join("").replaceAll(/\W/g, "")}`),
    flags,
  );
  await using driver = createTestFirecrackerDriver({ ...bench, files: broken });
  await assert.rejects(
    driver.start(SPEC),
    (error) =>
      error instanceof NexError && error.code === "SANDBOX_START_FAILED" && message.test(error.message),
  );
  await bench.assertNothingLeft();
}
