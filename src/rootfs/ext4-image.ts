/**
 * Writes ext4 images as any user: `mke2fs` makes an empty file system, `debugfs` fills it.
 *
 * X1 the bytes depend on the tree alone: identifiers and times are fixed and the order is that of the paths. (`mke2fs -d`
 *    numbers inodes in the order of readdir, which differs between the host's file systems)
 * X2 debugfs exits with 0 when its commands fail: every line it prints must be an expected one
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { rootfsFailed } from "./failed.ts";
import type { ImageTree, TreeEntry } from "./image-tree.ts";
import type { RunRootfsTool } from "./tools.ts";

/** Any time would do, as long as it is the same for all. */
const TIME = 1_700_000_000;
const UUID = "6e657872-6f6f-7466-8000-000000000001";
const HASH_SEED = "6e657872-6f6f-7466-8000-000000000002";
const BLOCK_BYTES = 4096;
const INODE_BYTES = 256;
const MIB = 1024 * 1024;
/** For files that a workload or an operator adds later. */
const SPARE_INODES = 1024;
const SPARE_BYTES = 32 * MIB;

/** An image, and what it takes. */
export interface ImageSize {
  /** Below this the files do not fit. */
  readonly neededBytes: number;
  /** With room for what is written while a machine runs. */
  readonly comfortableBytes: number;
}

/** How large the image of `tree` has to be. */
export function imageSize(tree: ImageTree): ImageSize {
  let blocks = 0;
  let inodes = SPARE_INODES;
  for (const [, entry] of tree.entries()) {
    inodes += 1;
    // One more for the extents of large files and for directories that grow.
    if (entry.kind === "file")
      blocks += Math.ceil(entry.size / BLOCK_BYTES) + (entry.size > 64 * MIB ? 1 : 0);
    if (entry.kind === "directory") blocks += 1;
  }
  const content = blocks * BLOCK_BYTES + inodes * INODE_BYTES;
  const neededBytes = roundUp(content * 1.01 + MIB);
  return { neededBytes, comfortableBytes: neededBytes + SPARE_BYTES };
}

/**
 * Writes `tree` to a new file at `path`.
 *
 * @throws {NexError} `ROOTFS_BUILD_FAILED`, `TOOL_FAILED`, `ABORTED`
 */
export async function writeExt4Image(options: {
  readonly tree: ImageTree;
  readonly path: string;
  readonly sizeBytes: number;
  /** For the list of commands. */
  readonly workDirectory: string;
  readonly run: RunRootfsTool;
}): Promise<void> {
  const { tree, path, sizeBytes, workDirectory, run } = options;
  const entries = tree.entries();
  const inodes = Math.ceil((entries.length + SPARE_INODES) / 16) * 16;
  const environment = { E2FSPROGS_FAKE_TIME: String(TIME), MKE2FS_CONFIG: "/dev/null" };
  const features =
    "none,extent,filetype,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,64bit,ext_attr,dir_index";
  await run(
    "mke2fs",
    [
      "-q",
      "-F",
      "-t",
      "ext4",
      "-L",
      "nexroot",
      "-m",
      "0",
      "-b",
      String(BLOCK_BYTES),
      "-I",
      String(INODE_BYTES),
      "-O",
      features,
      "-N",
      String(inodes),
      "-U",
      UUID,
      "-E",
      `hash_seed=${HASH_SEED},lazy_itable_init=0,root_owner=0:0,nodiscard`,
      path,
      `${Math.floor(sizeBytes / 1024)}k`,
    ],
    { environment },
  );
  const commands = join(workDirectory, "debugfs.commands");
  await writeFile(
    commands,
    entries.flatMap(([target, entry]) => commandsOf(target, entry)).join("\n") + "\n",
  );
  const said = await run("sh", ["-c", 'exec debugfs -w -f "$1" "$2" 2>&1', "sh", commands, path], {
    environment,
  });
  const problem = said.split("\n").find((line) => line !== "" && !EXPECTED.test(line));
  if (problem !== undefined) {
    throw rootfsFailed(problem);
  }
}

/** Its version, the commands it echoes, the inodes it takes (X2). */
const EXPECTED = /^(debugfs \d|debugfs: |Allocated inode: \d+$)/;
const KIND_BITS = { directory: 0o040000, file: 0o100000, link: 0o120000 } as const;
const MODE_MASK = 0o7777;

function commandsOf(path: string, entry: TreeEntry): string[] {
  const target = quoted(path);
  const set = (field: string, value: string | number): string =>
    `set_inode_field ${target} ${field} ${value}`;
  return [
    ...creation(path, target, entry),
    set("mode", `0${(KIND_BITS[entry.kind] | (entry.mode & MODE_MASK)).toString(8)}`),
    set("uid", entry.uid),
    set("gid", entry.gid),
    ...["atime", "ctime", "mtime", "crtime"].map((field) => set(field, `@${TIME}`)),
  ];
}

function creation(path: string, target: string, entry: TreeEntry): string[] {
  switch (entry.kind) {
    case "directory":
      return path === "/" ? [] : [`mkdir ${target}`];
    case "file":
      return [`write ${quoted(entry.source)} ${target}`];
    case "link":
      return [`symlink ${target} ${quoted(entry.target)}`];
  }
}

/** As libss, which reads the commands, understands it. */
function quoted(text: string): string {
  if (!/[\n\r\0]/.test(text)) return `"${text.replaceAll('"', '""')}"`;
  throw rootfsFailed(`the file name ${JSON.stringify(text)} holds a line break`);
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / MIB) * MIB;
}
