import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startNativeWorkload } from "../../src/agent/native-workload.ts";
import type { WorkloadExit } from "../../src/agent/workload.ts";

/** A memory limit takes the place of a machine that has no more: the kernel kills and counts alike. */
const group = await limitedGroup();
const skip = group.kind === "made" ? false : group.reason;
let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "nex-test-memory-"));
});
after(async () => {
  await rm(directory, { recursive: true, force: true });
  if (group.kind === "made") await rmdir(group.path);
});

/** The end of a script that first joins the group, as a workload of a machine of its own or of the host. */
async function endOf(lines: string, { sandboxed }: { readonly sandboxed: boolean }): Promise<WorkloadExit> {
  assert.ok(group.kind === "made");
  const workload = await startNativeWorkload({
    workloadId: "memory",
    directory,
    artifact: new TextEncoder().encode(`#!/bin/sh\necho $$ > ${group.path}/cgroup.procs\n${lines}\n`),
    argv: [],
    environment: {},
    sandboxed,
    log: () => {},
  });
  return workload.exit;
}

const GROW = `exec ${process.execPath} -e 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))'`;

test("a native workload that the kernel killed for want of memory says so", { skip }, async () => {
  assert.deepEqual(await endOf(GROW, { sandboxed: true }), { code: -1, reason: "out of memory" });
});

test(
  "a killed workload is not out of memory when nobody was, nor where others may have been",
  { skip },
  async () => {
    assert.deepEqual(await endOf("kill -9 $$", { sandboxed: true }), { code: -1 });
    assert.deepEqual(await endOf(GROW, { sandboxed: false }), { code: -1 });
  },
);

/** A control group that may use 64 MiB, or why there is none. */
async function limitedGroup(): Promise<
  { readonly kind: "made"; readonly path: string } | { readonly kind: "none"; readonly reason: string }
> {
  const root = "/sys/fs/cgroup";
  const isFirst = await stat(join(root, "memory")).then(
    () => true,
    () => false,
  );
  const path = join(root, isFirst ? "memory" : "", `nex-test-${process.pid}`);
  try {
    await mkdir(path);
  } catch (error) {
    return { kind: "none", reason: `cannot make a control group: ${(error as Error).message}` };
  }
  try {
    const limit = String(64 * 1024 * 1024);
    await writeFile(join(path, isFirst ? "memory.limit_in_bytes" : "memory.max"), limit);
    await writeFile(join(path, isFirst ? "memory.swappiness" : "memory.swap.max"), "0");
    return { kind: "made", path };
  } catch (error) {
    await rmdir(path);
    return { kind: "none", reason: `cannot limit memory: ${(error as Error).message}` };
  }
}
