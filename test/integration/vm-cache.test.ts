// The cache of images that tests boot from.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { cachedImage } from "../support/vm-cache.ts";

let cache = "";
before(async () => (cache = await mkdtemp(join(tmpdir(), "nex-vm-cache-"))));
after(() => rm(cache, { recursive: true, force: true }));

const [FIRST, USED, OWN, NEWEST] = ["1", "2", "3", "4"].map((digit) => `rootfs-${digit.repeat(16)}`) as [
  string,
  string,
  string,
  string,
];

async function make(directory: string): Promise<void> {
  await writeFile(join(directory, "image"), "");
}

async function names(): Promise<readonly string[]> {
  return (await readdir(cache)).filter((name) => name !== "in-use").sort();
}

test("whoever makes an image removes those that it supersedes, but none in use and nothing else", async () => {
  for (const name of [FIRST, "kernel-1111111111111111", "rootfs-of-somebody"]) await mkdir(join(cache, name));
  const module = fileURLToPath(new URL("../support/vm-cache.ts", import.meta.url));
  const script = `const { cachedImage } = await import(${JSON.stringify(module)});
    await cachedImage(${JSON.stringify(cache)}, ${JSON.stringify(USED)}, async () => {});
    console.log("ready"); setInterval(() => {}, 60000);`;
  const user = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(user.stdout, "data");
    const others = ["kernel-1111111111111111", "rootfs-of-somebody"];
    assert.deepEqual(await names(), [...others, USED].sort());
    assert.equal(await cachedImage(cache, OWN, make), join(cache, OWN));
    assert.deepEqual(await names(), [...others, USED, OWN].sort());
    const exit = once(user, "exit");
    user.kill("SIGKILL");
    await exit;
    await cachedImage(cache, NEWEST, make);
    // The user of one was killed, and this process uses the other.
    assert.deepEqual(await names(), [...others, OWN, NEWEST].sort());
  } finally {
    user.kill("SIGKILL");
  }
});
