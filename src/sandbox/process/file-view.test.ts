import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileViewArguments } from "./file-view.ts";

/** A directory that is neither hidden nor temporary by itself. */
function makePlace(): { readonly path: string } & Disposable {
  const path = realpathSync(mkdtempSync("/dev/shm/nex-test-view-"));
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function has(all: readonly string[], ...part: readonly string[]): boolean {
  return all.some((_, at) => part.every((word, index) => all[at + index] === word));
}

test("fileViewArguments shows what is needed again, below a directory that others cannot enter", () => {
  using place = makePlace();
  const closed = join(place.path, "closed");
  const needed = join(closed, "a", "b", "agent.js");
  mkdirSync(join(closed, "a", "b"), { recursive: true });
  writeFileSync(needed, "");
  chmodSync(closed, 0o700);
  const all = fileViewArguments({ needed: [needed], hidden: [] }, "/made");
  assert.ok(has(all, "--tmpfs", closed), all.join(" "));
  assert.ok(
    has(all, "--dir", join(closed, "a"), "--dir", join(closed, "a", "b"), "--ro-bind", needed, needed),
    all.join(" "),
  );
  assert.ok(all.lastIndexOf(closed) > all.indexOf(needed), "it becomes read-only once all is there");
});

test("fileViewArguments hides directories and files, and ignores what does not exist", () => {
  using place = makePlace();
  const [file, directory] = [join(place.path, "file"), join(place.path, "directory")];
  mkdirSync(join(directory, "below"), { recursive: true });
  writeFileSync(file, "");
  const hidden = [file, directory, join(directory, "below"), join(place.path, "none"), "/usr"];
  const all = fileViewArguments({ needed: [], hidden }, "/made");
  assert.ok(has(all, "--ro-bind", "/dev/null", file));
  assert.ok(has(all, "--tmpfs", directory));
  for (const never of [join(directory, "below"), join(place.path, "none"), "/usr"]) {
    assert.ok(!all.includes(never), never);
  }
  assert.ok(has(all, "--bind", "/made", "/tmp"));
});
