import assert from "node:assert/strict";
import { test } from "node:test";
import { findHierarchies } from "./control-group-hierarchies.ts";

const MEMORY_1 =
  "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n" +
  "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n" +
  "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";
const VERSION_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

test("findHierarchies finds the own groups of version 1", () => {
  assert.deepEqual(
    findHierarchies(MEMORY_1, "9:name=systemd:/x\n8:pids:/\n4:memory:/user/a:b\n1:cpu:/\n0::/\n"),
    [
      { version: 1, directory: "/sys/fs/cgroup/pids", controllers: ["pids"] },
      { version: 1, directory: "/sys/fs/cgroup/memory/user/a:b", controllers: ["memory"] },
    ],
  );
});

test("findHierarchies finds the group of a container where it is mounted", () => {
  const mount = "35 31 0:32 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
  assert.deepEqual(findHierarchies(mount, "4:memory:/docker/1\n"), [
    { version: 1, directory: "/sys/fs/cgroup/memory", controllers: ["memory"] },
  ]);
  assert.deepEqual(findHierarchies(mount, "4:memory:/docker/2\n"), []);
});

test("findHierarchies takes a unit of version 2 only when the own group is a part of it", () => {
  assert.deepEqual(findHierarchies(VERSION_2, "0::/system.slice/nex.service/node\n"), [
    {
      version: 2,
      directory: "/sys/fs/cgroup/system.slice/nex.service",
      controllers: ["memory", "pids"],
    },
  ]);
  for (const own of ["/system.slice/nex.service", "/", "/user.slice/session"]) {
    assert.deepEqual(findHierarchies(VERSION_2, `0::${own}\n`), []);
  }
});

test("findHierarchies finds nothing in nothing", () => {
  assert.deepEqual(findHierarchies("", ""), []);
});
