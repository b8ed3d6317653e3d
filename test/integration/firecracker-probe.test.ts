// The boot probe of Firecracker, against a program that checks the configuration file and boots nothing.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  knownFirecrackerVerdict,
  probeFirecracker,
} from "../../src/sandbox/firecracker/probe-firecracker.ts";
import { canOpenKvm } from "../../src/sandbox/kvm.ts";
import { createTestFirecrackerDriver, makeFirecrackerFiles } from "../support/firecracker-bench.ts";
import type { FirecrackerFiles } from "../support/firecracker-bench.ts";
import { createTestNetwork } from "../support/test-network.ts";

const skip = (await canOpenKvm()) ? false : "cannot open /dev/kvm";
/** The stand-in is slower than Firecracker. */
const timeoutMs = 60_000;

let directory = "";
before(async () => (directory = await mkdtemp(join(tmpdir(), "nex-fc-probe-"))));
after(() => rm(directory, { recursive: true, force: true }));

function imagesOf({ kernel, rootfs }: FirecrackerFiles): Parameters<typeof probeFirecracker>[0]["images"] {
  return { kernel: { path: kernel, initrd: rootfs }, rootfs };
}

async function probesLeft(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter(
    (name) => name.startsWith("nex-probe-") && name.includes(`-${process.pid}-`),
  );
}

describe("boot probe of Firecracker", { skip }, () => {
  test("a guest that says so and powers off has booted; the verdict is kept, and the driver believes it", async () => {
    const files = await makeFirecrackerFiles(join(directory, "works"));
    const cacheFile = join(directory, "verdicts", "firecracker.json");
    const options = { program: files.program, images: imagesOf(files), cacheFile, timeoutMs };
    const early = await probeFirecracker({ ...options, timeoutMs: 1 });
    assert.deepEqual([early.boots, early.reason], [false, "no boot and restart within 1 ms"]);
    assert.deepEqual(await knownFirecrackerVerdict(options), early);
    const verdict = await probeFirecracker(options);
    assert.deepEqual(verdict, { boots: true, reason: "a guest booted in Firecracker", lastLines: [] });
    const kept = JSON.parse(await readFile(cacheFile, "utf8")) as object;
    assert.deepEqual({ ...kept, ...verdict }, kept);
    // No guest boots within a millisecond: the verdict is the one that was kept.
    assert.deepEqual(await probeFirecracker({ ...options, timeoutMs: 1 }), verdict);
    await using network = createTestNetwork("nextest");
    await using driver = createTestFirecrackerDriver({
      files,
      network,
      temporaryDirectory: directory,
      more: { images: options.images, verdictFile: cacheFile },
    });
    assert.deepEqual(await driver.probe(), { kind: "ready", detail: "virtual machine (Firecracker)" });
    assert.deepEqual(await probesLeft(), []);
  });

  test("a KVM that does not work, and a guest that hangs, are told, and nothing is left of them", async () => {
    const broken = await makeFirecrackerFiles(join(directory, "broken"), [], "broken");
    const failed = await probeFirecracker({ program: broken.program, images: imagesOf(broken), timeoutMs });
    assert.equal(failed.boots, false);
    assert.match(failed.reason, /ended with exit code 1 \(.*Error creating KVM object/);
    assert.match(failed.lastLines.join("\n"), /Error creating KVM object/);
    const hanging = await makeFirecrackerFiles(join(directory, "hangs"), [], "hangs");
    const late = await probeFirecracker({
      program: hanging.program,
      images: imagesOf(hanging),
      timeoutMs: 3000,
    });
    assert.deepEqual([late.boots, late.reason.split(" (")[0]], [false, "no boot and restart within 3000 ms"]);
    assert.deepEqual(await probesLeft(), []);
  });

  test("a kernel that Firecracker refuses is no bootable one", async () => {
    const files = await makeFirecrackerFiles(join(directory, "refused"));
    await writeFile(files.kernel, "no ELF file");
    const verdict = await probeFirecracker({ program: files.program, images: imagesOf(files), timeoutMs });
    assert.equal(verdict.boots, false);
    assert.match(verdict.reason, /exit code 152 \(.*invalid ELF magic/);
  });
});
