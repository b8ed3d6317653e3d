// Which driver `"sandbox": "auto"` is, with stand-ins for the monitors.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { silentLogger } from "../../src/lib/logger.ts";
import { loadConfiguration } from "../../src/node/configuration.ts";
import {
  configuredMachineDriver,
  machineImages,
  verdictFile,
} from "../../src/node/configured-machine-driver.ts";
import { probeFirecracker } from "../../src/sandbox/firecracker/probe-firecracker.ts";
import { canOpenKvm } from "../../src/sandbox/kvm.ts";
import { QEMU_PROGRAM } from "../../src/sandbox/qemu/qemu-arguments.ts";
import { makeFirecrackerFiles } from "../support/firecracker-bench.ts";
import { bzImage } from "../support/kernel-file.ts";
import { recordPublications } from "../support/qemu-bench.ts";
import { createTestNetwork } from "../support/test-network.ts";

const skip = (await canOpenKvm()) ? false : "cannot open /dev/kvm";

let directory = "";
before(async () => (directory = await mkdtemp(join(tmpdir(), "nex-choice-"))));
after(() => rm(directory, { recursive: true, force: true }));

/** The driver of a host with both monitors, in a directory of the test's. */
async function choose(
  name: string,
  { kvm, kernel }: { readonly kvm: "works" | "broken"; readonly kernel?: Buffer },
): Promise<string> {
  const files = await makeFirecrackerFiles(join(directory, name), [], kvm);
  if (kernel !== undefined) await writeFile(files.kernel, kernel);
  await writeFile(join(directory, name, QEMU_PROGRAM), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  const configuration = await loadConfiguration(undefined, {
    sandbox: "auto",
    bin_path: [join(directory, name)],
    default_resource_dir: join(directory, name),
    state_dir: join(directory, name, "state"),
  });
  const { program } = files;
  const images = machineImages(configuration);
  // The stand-in is slower than Firecracker; the verdict is kept.
  await probeFirecracker({
    program,
    images,
    cacheFile: verdictFile(configuration, "firecracker"),
    timeoutMs: 60_000,
  });
  await using network = createTestNetwork("nextest");
  await using driver = await configuredMachineDriver({
    configuration,
    network,
    metadata: recordPublications(),
    searchPath: "",
    logger: silentLogger,
  });
  return driver.name;
}

describe('"sandbox": "auto"', { skip, concurrency: 2 }, () => {
  test("is Firecracker where a guest boots in it", async () => {
    assert.equal(await choose("works", { kvm: "works" }), "firecracker");
  });

  test("is QEMU where none does, because of KVM or of the kernel", async () => {
    assert.equal(await choose("broken", { kvm: "broken" }), "qemu");
    assert.equal(await choose("packed", { kvm: "works", kernel: bzImage() }), "qemu");
  });
});
