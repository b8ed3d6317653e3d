import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../lib/errors.ts";
import { throwIfAborted } from "../lib/run-tool.ts";
import { readArchive } from "./base-archive.ts";
import { rootfsFailed } from "./failed.ts";
import type { ImageTree } from "./image-tree.ts";

interface BaseOptions {
  readonly tree: ImageTree;
  /** A directory or a tar archive. */
  readonly base: string;
  /** For the files of an archive, until the image is written. */
  readonly directory: string;
  readonly signal: AbortSignal | undefined;
}

/** Puts a Linux root into a tree. Devices, sockets and pipes are left out: the kernel's own `/dev` is mounted. */
export async function readBase({ tree, base, directory, signal }: BaseOptions): Promise<void> {
  const stats = await stat(base).catch((cause: unknown) => {
    throw rootfsFailed(`the base "${base}" cannot be read: ${errorText(cause)}`, { cause });
  });
  if (stats.isDirectory()) await readDirectory(tree, base, signal);
  else await readArchive({ tree, archive: base, directory, signal });
  if (tree.entries().length === 1) throw rootfsFailed(`the base "${base}" is empty`);
}

/** Puts what `root` holds into a tree. What belongs to the user who runs this belongs to root in the image. */
export async function readDirectory(
  tree: ImageTree,
  root: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const user = process.getuid?.();
  const group = process.getgid?.();
  const walk = async (folder: string): Promise<void> => {
    throwIfAborted(signal);
    for (const name of await readdir(join(root, folder))) {
      const path = `${folder}/${name}`;
      const source = join(root, path);
      const stats = await lstat(source);
      const access = {
        mode: stats.mode & 0o7777,
        uid: stats.uid === user ? 0 : stats.uid,
        gid: stats.gid === group ? 0 : stats.gid,
      };
      if (stats.isDirectory()) {
        tree.put(path, { kind: "directory", ...access });
        await walk(path);
      } else if (stats.isSymbolicLink()) {
        tree.put(path, { kind: "link", target: await readlink(source), ...access });
      } else if (stats.isFile()) tree.put(path, { kind: "file", source, size: stats.size, ...access });
    }
  };
  try {
    await walk("");
  } catch (cause) {
    throwIfAborted(signal);
    throw rootfsFailed(`"${root}" cannot be read: ${errorText(cause)}`, { cause });
  }
}
