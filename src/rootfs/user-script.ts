import { chmod, chown, copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../lib/errors.ts";
import { readDirectory } from "./base-image.ts";
import { rootfsFailed } from "./failed.ts";
import { ImageTree } from "./image-tree.ts";
import type { RunRootfsTool } from "./tools.ts";

const SCRIPT = "/.nex-script";
const RESOLV_CONF = "/etc/resolv.conf";
const SCRIPT_LIMIT_MS = 60 * 60_000;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Writes a tree to `directory`, runs a script with that as its root, and reads what came of it. */
export async function runUserScript(options: {
  readonly tree: ImageTree;
  readonly script: string;
  /** Made. */
  readonly directory: string;
  readonly run: RunRootfsTool;
}): Promise<ImageTree> {
  const { tree, script, directory, run } = options;
  if (process.getuid?.() !== 0) {
    throw rootfsFailed("only root can run a script inside it", {
      hint: "Run it as root, or without --script",
    });
  }
  await writeTree(tree, directory);
  await copyFile(script, join(directory, SCRIPT));
  await chmod(join(directory, SCRIPT), 0o755);
  // So that the script can fetch something; in the image this is a link to what the kernel knows.
  await rm(join(directory, RESOLV_CONF), { force: true });
  await copyFile(RESOLV_CONF, join(directory, RESOLV_CONF)).catch(() =>
    writeFile(join(directory, RESOLV_CONF), ""),
  );
  await run("chroot", [directory, SCRIPT], {
    environment: { PATH: `${PATH}:/usr/sbin`, HOME: "/root" },
    timeoutMs: SCRIPT_LIMIT_MS,
  }).catch((cause: unknown) => {
    throw rootfsFailed(`the script "${script}" failed: ${errorText(cause)}`, { cause });
  });
  await rm(join(directory, SCRIPT), { force: true });
  const result = new ImageTree();
  await readDirectory(result, directory, undefined);
  return result;
}

async function writeTree(tree: ImageTree, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  for (const [path, entry] of tree.entries()) {
    if (path === "/") continue;
    const target = join(directory, path);
    if (entry.kind === "link") {
      await symlink(entry.target, target);
      continue;
    }
    if (entry.kind === "directory") await mkdir(target);
    else await copyFile(entry.source, target);
    await chown(target, entry.uid, entry.gid);
    await chmod(target, entry.mode);
  }
}
