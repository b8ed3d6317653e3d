// `nex rootfs`: reproducible images, from the built-in base, directories and archives.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, chown, copyFile, mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { findProgram } from "../../src/lib/find-program.ts";
import { makeTemporaryDirectory } from "../../src/lib/temporary-directory.ts";
import type { TemporaryDirectory } from "../../src/lib/temporary-directory.ts";
import { runNex, startNex } from "../support/run-nex.ts";

const SYSTEM_PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;
const missing: string[] = [];
for (const program of ["busybox", "mke2fs", "debugfs", "e2fsck", "ldd", "tar"]) {
  if ((await findProgram(program, { path: SYSTEM_PATH })) === undefined) missing.push(program);
}
const skip = missing.length > 0 ? `${missing.join(", ")} not installed` : false;
const asRoot = skip || (process.getuid?.() === 0 ? false : "needs root");
const TIMEOUT = { timeoutMs: 120_000 };
const run = promisify(execFile);

interface Built {
  readonly path: string;
  readonly sizeBytes: number;
  readonly fileBytes: number;
  readonly sha256: string;
}

describe("nex rootfs", { skip, concurrency: false }, () => {
  let place: TemporaryDirectory;
  /** Stands in for agents where the image's content does not matter: alone it needs no Node.js in the image. */
  let executable: string;
  before(async () => {
    place = await makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-rootfs-test" });
    await chmod(place.path, 0o777);
    executable = join(place.path, "executable-agent");
    await copyFile("/bin/busybox", executable);
  });
  after(async () => place?.[Symbol.asyncDispose]());

  async function build(folder: string, ...flags: readonly string[]): Promise<Built> {
    const output = join(place.path, folder, "rootfs.ext4");
    const args = ["rootfs", "-o", output, "--json", ...flags];
    const { code, stdout, stderr } = await runNex(args, TIMEOUT);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Built;
  }

  async function inspect(image: string, command: string): Promise<string> {
    const { stdout } = await run("debugfs", ["-R", command, image], { env: { PATH: SYSTEM_PATH } });
    return stdout;
  }

  test("builds the same bytes again, with what a machine needs and a clean file system", async () => {
    const first = await build("first");
    const second = await build("second");
    assert.equal(second.sha256, first.sha256);
    assert.equal((await stat(first.path)).size, first.fileBytes);
    await run("e2fsck", ["-f", "-n", first.path], { env: { PATH: SYSTEM_PATH } });
    assert.match(await inspect(first.path, "stat /home/nex"), /Mode: +0755[\s\S]*User: +1000 +Group: +1000/);
    assert.match(await inspect(first.path, "stat /tmp"), /Mode: +01777/);
    assert.match(await inspect(first.path, "stat /usr/local/bin/agent"), /Mode: +0775[\s\S]*User: +1000/);
    assert.match(await inspect(first.path, "stat /etc/resolv.conf"), /Fast link dest: "\/proc\/net\/pnp"/);
    assert.match(await inspect(first.path, "cat /etc/passwd"), /^nex:x:1000:1000:/m);
    assert.match(await inspect(first.path, "cat /etc/ssl/certs/ca-certificates.crt"), /BEGIN CERTIFICATE/);
    assert.deepEqual(await readdir(join(place.path, "first")), ["rootfs.ext4"]);
  });

  test("builds the same bytes as another user, and compressed", { skip: asRoot }, async () => {
    const mine = await build("mine", "--agent", executable);
    const output = join(place.path, "theirs", "rootfs.ext4.gz");
    await mkdir(join(place.path, "theirs"));
    await chown(join(place.path, "theirs"), 65534, 65534);
    const script = join(import.meta.dirname, "fixtures", "build-rootfs.ts");
    await run("setpriv", [
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      process.execPath,
      script,
      output,
      executable,
    ]);
    await run("gunzip", [output]);
    const { stdout } = await run("sha256sum", [output.slice(0, -3)]);
    assert.equal(stdout.split(" ")[0], mine.sha256);
  });

  test(
    "builds on a directory and on an archive of it alike, through their links",
    { skip: asRoot },
    async () => {
      const base = join(place.path, "base");
      await mkdir(join(base, "usr", "sbin"), { recursive: true });
      await mkdir(join(base, "etc"));
      await symlink("usr/sbin", join(base, "sbin"));
      await symlink("/lib/systemd/systemd", join(base, "usr", "sbin", "init"));
      await writeFile(join(base, "etc", "passwd"), "root:x:0:0:root:/root:/bin/bash\n");
      await writeFile(join(base, "etc", `a "quoted" name ${"long".repeat(40)}`), "kept");
      await chown(join(base, "etc", "passwd"), 7, 8);
      const archive = join(place.path, "base.tar.gz");
      await run("tar", ["-czf", archive, "-C", base, "."]);
      const fromDirectory = await build("d", "--agent", executable, "--image", base);
      const fromArchive = await build("t", "--agent", executable, "--image", archive);
      assert.equal(fromArchive.sha256, fromDirectory.sha256);
      assert.match(await inspect(fromArchive.path, "stat /sbin"), /Fast link dest: "usr\/sbin"/);
      assert.match(
        await inspect(fromArchive.path, "cat /usr/sbin/init"),
        /^#!\/usr\/local\/lib\/nex\/busybox sh/,
      );
      assert.equal(
        await inspect(fromArchive.path, "cat /etc/passwd"),
        "root:x:0:0:root:/root:/bin/bash\nnex:x:1000:1000:nex:/home/nex:/bin/sh\n",
      );
      assert.match(await inspect(fromArchive.path, `ls /etc`), /a "quoted" name long/);
    },
  );

  test("runs a script inside, and leaves nothing when it fails", { skip: asRoot }, async () => {
    const script = join(place.path, "script.sh");
    await writeFile(script, "#!/bin/sh\nset -e\necho made > /etc/made\nchown 5:6 /etc/made\n");
    const { path } = await build("scripted", "--agent", executable, "--script", script);
    assert.equal(await inspect(path, "cat /etc/made"), "made\n");
    assert.match(await inspect(path, "stat /etc/made"), /User: +5 +Group: +6/);
    await writeFile(script, "#!/bin/sh\necho no luck >&2\nexit 3\n");
    const output = join(place.path, "failed", "rootfs.ext4");
    const args = ["rootfs", "-o", output, "--agent", executable, "--script", script];
    const { code, stderr } = await runNex(args, TIMEOUT);
    assert.equal(code, 1);
    assert.match(stderr, /the script ".*" failed: .*no luck/);
    assert.deepEqual(await readdir(join(place.path, "failed")), []);
  });

  test("names the size that it needs", async () => {
    const output = join(place.path, "small", "rootfs.ext4");
    const { code, stderr } = await runNex(["rootfs", "-o", output, "--size", "1000000"], TIMEOUT);
    assert.equal(code, 1);
    const needed = /need (\d+) bytes, --size gives 1000000/.exec(stderr)?.[1];
    assert.ok(needed !== undefined, stderr);
    assert.deepEqual(await readdir(join(place.path, "small")), []);
    const { sizeBytes, path } = await build("exact", "--size", needed);
    assert.equal(sizeBytes, Number(needed));
    await run("e2fsck", ["-f", "-n", path], { env: { PATH: SYSTEM_PATH } });
  });

  test("leaves nothing when it is interrupted", async () => {
    const folder = join(place.path, "interrupted");
    await using nex = await startNex(["rootfs", "-o", join(folder, "rootfs.ext4")]);
    await nex.waitForLine(/^Writing /);
    nex.signal("SIGINT");
    const { code } = await nex.exit;
    assert.notEqual(code, 0);
    assert.deepEqual(await readdir(folder), []);
  });

  test("refuses archives that are damaged", async () => {
    const archive = join(place.path, "damaged.tar");
    await writeFile(archive, "no archive at all".repeat(100));
    const output = join(place.path, "damaged", "rootfs.ext4");
    const args = ["rootfs", "-o", output, "--agent", executable, "--image", archive];
    const { code, stderr } = await runNex(args, TIMEOUT);
    assert.equal(code, 1);
    assert.match(stderr, /is no tar archive that can be read: a header is damaged/);
  });
});
