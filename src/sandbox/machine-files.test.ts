import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { copyImage } from "./machine-files.ts";

let directory = "";
before(async () => (directory = await mkdtemp(join(tmpdir(), "nex-files-"))));
after(() => rm(directory, { recursive: true, force: true }));

test("copyImage gives the same bytes and stores no zeros, whatever the size is", async () => {
  const image = Buffer.alloc(3 * 1024 * 1024 + 777);
  for (const position of [0, 4096 * 7 + 5, 1024 * 1024 - 1, image.length - 1]) image[position] = 1;
  const [source, target] = [join(directory, "source"), join(directory, "target")];
  await writeFile(source, image);
  const kind = await copyImage(source, target);
  assert.ok((await readFile(target)).equals(image));
  const { blocks, size } = await stat(target);
  assert.ok(kind === "reflink" || blocks * 512 < size / 8, `${kind}: ${blocks} blocks`);
});

test("copyImage overwrites nothing, and leaves nothing when it is aborted or cannot read", async () => {
  const [source, target] = [join(directory, "a"), join(directory, "b")];
  await writeFile(source, "image");
  await writeFile(target, "there already");
  await assert.rejects(copyImage(source, target), { code: "EEXIST" });
  assert.equal(await readFile(target, "utf8"), "there already");
  await assert.rejects(copyImage(join(directory, "none"), join(directory, "c")), { code: "ENOENT" });
  await assert.rejects(copyImage(source, join(directory, "d"), AbortSignal.abort()), { name: "AbortError" });
  const names = await readdir(directory);
  assert.ok(!names.includes("c") && !names.includes("d"));
});
