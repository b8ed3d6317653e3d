import assert from "node:assert/strict";
import { test } from "node:test";
import { ImageTree } from "./image-tree.ts";

test("ImageTree follows the links on the way to an entry, not the one it replaces", () => {
  const tree = new ImageTree();
  tree.put("/usr/sbin/init", { kind: "link", target: "/lib/systemd/systemd" });
  tree.put("/sbin", { kind: "link", target: "usr/sbin" });
  tree.put("/sbin/init", { kind: "file", source: "/x", size: 1, mode: 0o755 });
  assert.deepEqual(tree.get("/usr/sbin/init"), {
    kind: "file",
    source: "/x",
    size: 1,
    mode: 0o755,
    uid: 0,
    gid: 0,
  });
});

test("ImageTree stays inside the image, whatever links and paths say", () => {
  const tree = new ImageTree();
  tree.put("/a", { kind: "link", target: "../../../outside" });
  assert.equal(tree.resolve("/a/b"), "/outside/b");
  assert.equal(tree.resolve("/../../x"), "/x");
});

test("ImageTree refuses links that go in circles", () => {
  const tree = new ImageTree();
  tree.put("/a", { kind: "link", target: "b" });
  tree.put("/b", { kind: "link", target: "a" });
  assert.throws(() => tree.put("/a/x", { kind: "directory" }), { code: "ROOTFS_BUILD_FAILED" });
});

test("ImageTree lists directories before what they hold, in an order of the paths alone", () => {
  const [first, second] = [
    ["/b/c", "/a-b", "/a/x"],
    ["/a/x", "/b/c", "/a-b"],
  ].map((paths) => {
    const tree = new ImageTree();
    for (const path of paths) tree.put(path, { kind: "directory" });
    return tree.entries().map(([path]) => path);
  });
  assert.deepEqual(first, second);
  assert.deepEqual(first, ["/", "/a", "/a-b", "/a/x", "/b", "/b/c"]);
});

test("ImageTree drops what a directory held when something else takes its place", () => {
  const tree = new ImageTree();
  tree.put("/a/b/c", { kind: "directory" });
  tree.put("/a/b", { kind: "link", target: "/" });
  assert.deepEqual(
    tree.entries().map(([path]) => path),
    ["/", "/a", "/a/b"],
  );
});
