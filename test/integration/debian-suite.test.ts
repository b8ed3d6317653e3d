// Packages of a Debian suite with its updates, from an archive of the test's own, by the real apt.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openDebianSuite } from "../../src/lib/debian-suite.ts";
import type { DebianSuite } from "../../src/lib/debian-suite.ts";
import { fetchDebianKernel } from "../../src/sandbox/kernel/debian-kernel.ts";
import { noDebianArchive, startDebianArchive } from "../support/debian-archive.ts";
import type { DebianArchive, TestPackage } from "../support/debian-archive.ts";
import { bzImage } from "../support/kernel-file.ts";

const skip = await noDebianArchive();
const suite = "bookworm";

/** An archive below a directory that goes with it. */
async function makeArchive(
  suites: Readonly<Record<string, readonly TestPackage[]>>,
): Promise<DebianArchive & { readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "nex-debian-"));
  const archive = await startDebianArchive(join(directory, "archive"), suites);
  return {
    ...archive,
    directory,
    [Symbol.asyncDispose]: async () => {
      await archive[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const numbered = (version: string): TestPackage => ({ name: "thing", version, files: { version } });

/** Opens the suite; `notes` gets what is said of updates. */
async function open(
  { directory, environment, keyring }: DebianArchive & { readonly directory: string },
  notes: string[] = [],
): Promise<DebianSuite> {
  return openDebianSuite({
    suite,
    directory: await mkdtemp(join(directory, "apt-")),
    environment,
    keyring,
    onNote: (text) => notes.push(text),
    signal: undefined,
  });
}

async function versionOf(packages: DebianSuite): Promise<string> {
  return readFile(join(await packages.unpack("thing"), "version"), "utf8");
}

describe("openDebianSuite", { skip }, () => {
  test("takes the newest of the suite, its updates and its security updates", async () => {
    for (const [versions, newest] of [
      [["1", "2", "3"], "3"],
      [["1", "4", "3"], "4"],
      [["5", "4", "3"], "5"],
    ] as const) {
      const [main, updates, security] = versions;
      await using archive = await makeArchive({
        [suite]: [numbered(main)],
        [`${suite}-updates`]: [numbered(updates)],
        [`${suite}-security`]: [numbered(security)],
      });
      const notes: string[] = [];
      assert.equal(await versionOf(await open(archive, notes)), newest);
      assert.deepEqual(notes, []);
    }
  });

  test("does without updates that cannot be had, or are not signed, and says so", async () => {
    await using archive = await makeArchive({
      [suite]: [numbered("1")],
      [`${suite}-security`]: [numbered("2")],
    });
    const notes: string[] = [];
    assert.equal(await versionOf(await open(archive, notes)), "2");
    assert.match(notes.join("\n"), /^Without bookworm-updates: .* does not have a Release file/s);
    const signed = `debian-security/dists/${suite}-security/InRelease`;
    const text = archive.files.get(signed)?.toString() ?? "";
    archive.files.set(signed, Buffer.from(text.replace("Origin: Nex", "Origin: Xen")));
    assert.equal(await versionOf(await open(archive, notes)), "1");
    assert.match(notes.at(-1) ?? "", /^Without bookworm-updates and bookworm-security: /);
  });

  test("rejects without the suite itself, and for a package that is not the one in the list", async () => {
    await using archive = await makeArchive({
      [suite]: [numbered("1")],
      [`${suite}-updates`]: [],
      [`${suite}-security`]: [numbered("2")],
    });
    const file = "debian-security/pool/thing_2_amd64.deb";
    const bytes = Buffer.from(archive.files.get(file) ?? "");
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    archive.files.set(file, bytes);
    const packages = await open(archive);
    await assert.rejects(packages.unpack("thing"), { code: "TOOL_FAILED", message: /SHA256:/ });
    archive.files.delete(`debian/dists/${suite}/InRelease`);
    await assert.rejects(open(archive), {
      code: "TOOL_FAILED",
      message: /"apt-get" ended with exit code 100/,
    });
  });
});

describe("fetchDebianKernel", { skip }, () => {
  test("takes the kernel of the security updates, and keeps but one older one", async () => {
    await using archive = await makeArchive({
      [suite]: kernelPackages("6.1.0-50-cloud-amd64", "1"),
      [`${suite}-updates`]: [],
      [`${suite}-security`]: kernelPackages("6.1.0-56-cloud-amd64", "2"),
    });
    const { directory, environment, keyring } = archive;
    const cacheDirectory = join(directory, "kernels");
    for (const name of ["linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-50-cloud-amd64"]) {
      await mkdir(join(cacheDirectory, name), { recursive: true });
      await writeFile(join(cacheDirectory, name, "initrd"), "");
    }
    await writeFile(join(cacheDirectory, "linux-image-notes"), "somebody else's");
    const busybox = join(directory, "busybox");
    await writeFile(busybox, "busybox");
    const steps: string[] = [];
    const options = {
      cacheDirectory,
      busybox,
      environment,
      keyring,
      onStep: (text: string) => steps.push(text),
    };
    const { path } = await fetchDebianKernel(options);
    assert.equal(path, join(cacheDirectory, "linux-image-6.1.0-56-cloud-amd64", "vmlinuz"));
    assert.deepEqual(await readFile(path), bzImage({ version: "6.1.0-56-cloud-amd64" }));
    assert.deepEqual((await readdir(cacheDirectory)).sort(), [
      "linux-image-6.1.0-50-cloud-amd64",
      "linux-image-6.1.0-56-cloud-amd64",
      "linux-image-notes",
    ]);
    assert.ok(steps.includes("Downloading linux-image-6.1.0-56-cloud-amd64"), steps.join("\n"));
    // Once more, without the updates: what is older than the kernel that is there is no update.
    archive.files.delete(`debian-security/dists/${suite}-security/InRelease`);
    assert.equal((await fetchDebianKernel(options)).path, path);
    assert.match(steps.at(-1) ?? "", /^Taking linux-image-6\.1\.0-56-\S+ from an earlier download/);
  });
});

/** A kernel with its modules, and the package that names it. */
function kernelPackages(release: string, version: string): readonly TestPackage[] {
  const name = `linux-image-${release}`;
  const modules = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net"];
  const folder = `lib/modules/${release}`;
  return [
    { name: "linux-image-cloud-amd64", version, depends: name },
    {
      name,
      version,
      files: {
        [`boot/vmlinuz-${release}`]: bzImage({ version: release }),
        [`${folder}/modules.builtin`]: "kernel/fs/ext4/ext4.ko\n",
        ...Object.fromEntries(modules.map((module) => [`${folder}/kernel/${module}.ko`, "\0depends=\0"])),
      },
    },
  ];
}
