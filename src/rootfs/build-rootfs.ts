import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { errorText } from "../lib/errors.ts";
import { makeTemporaryDirectory } from "../lib/temporary-directory.ts";
import { putAgent } from "./agent-files.ts";
import { readBase } from "./base-image.ts";
import { imageSize, writeExt4Image } from "./ext4-image.ts";
import { rootfsFailed } from "./failed.ts";
import { ImageTree } from "./image-tree.ts";
import { putBase, putRequirements } from "./system-files.ts";
import { textFiles } from "./text-files.ts";
import { requireProgram, rootfsTools } from "./tools.ts";
import { runUserScript } from "./user-script.ts";

/** What an image is built from. */
export interface RootfsOptions {
  /** Ends in `.gz` for a compressed image. */
  readonly output: string;
  /** The agent's bundle for Node.js, or an executable. */
  readonly agent: string;
  /** Default: the Node.js that runs this. */
  readonly node?: string;
  /** A directory or a tar archive with a Linux root. Default: busybox and nothing else. */
  readonly base?: string | undefined;
  /** Run inside the tree before the image is written; needs root. */
  readonly script?: string | undefined;
  /** Default: what the files need and 32 MiB. */
  readonly sizeBytes?: number | undefined;
  /** PATH, where the host's programs are looked up. */
  readonly path: string | undefined;
  readonly onStep?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** An image that was written. */
export interface Rootfs {
  readonly path: string;
  /** Of the file system, uncompressed. */
  readonly sizeBytes: number;
  /** Of the file at `path`. */
  readonly fileBytes: number;
  /** SHA-256 of the file at `path`, in hex. */
  readonly sha256: string;
}

/**
 * Builds a root file system for virtual machines: the same inputs give the same bytes, without root (unless a script is run).
 *
 * @throws {NexError} `ROOTFS_BUILD_FAILED`, `TOOL_MISSING`, `TOOL_FAILED`, `ABORTED`; nothing is left at `output` then
 */
export async function buildRootfs(options: RootfsOptions): Promise<Rootfs> {
  const { agent, base, script, signal, onStep = () => {} } = options;
  const output = resolve(options.output);
  const run = rootfsTools(options.path, signal);
  const busybox = await requireProgram("busybox", options.path);
  await Promise.all(["mke2fs", "debugfs"].map((program) => requireProgram(program, options.path)));
  await using work = await workDirectory(output);
  const directory = (name: string): string => join(work.path, name);

  const applets = await busyboxApplets(busybox, run);
  let tree = new ImageTree();
  const putText = await textFiles(tree, directory("texts"));
  if (base === undefined) {
    onStep("Collecting busybox and certificates");
    await putBase({ tree, putText, busybox, applets });
  } else {
    onStep(`Reading ${base}`);
    await readBase({ tree, base, directory: directory("base"), signal });
  }
  if (script !== undefined) {
    // Without them there would be no shell to run it in.
    await putRequirements({ tree, putText, busybox });
    onStep(`Running ${script}`);
    tree = await runUserScript({ tree, script, directory: directory("chroot"), run });
  }
  onStep("Adding agent and Node.js");
  const putFinalText = await textFiles(tree, directory("final-texts"));
  await putRequirements({ tree, putText: putFinalText, busybox });
  await putAgent({ tree, putText: putFinalText, run, agent, node: options.node ?? process.execPath });

  const sizeBytes = chooseSize(tree, options.sizeBytes);
  onStep(`Writing ${output}`);
  const image = directory("rootfs.ext4");
  await writeExt4Image({ tree, path: image, sizeBytes, workDirectory: work.path, run });
  const result = output.endsWith(".gz") ? await compress(image, signal) : image;
  signal?.throwIfAborted();
  const sha256 = await digest(result);
  const { size: fileBytes } = await stat(result);
  await syncFile(result);
  await rename(result, output);
  return { path: output, sizeBytes, fileBytes, sha256 };
}

/** Beside the output, so that one rename puts the image there. */
async function workDirectory(output: string): ReturnType<typeof makeTemporaryDirectory> {
  try {
    await mkdir(dirname(output), { recursive: true });
    return await makeTemporaryDirectory({ parent: dirname(output), prefix: ".nex.rootfs" });
  } catch (cause) {
    throw rootfsFailed(`"${output}" cannot be written: ${errorText(cause)}`, { cause });
  }
}

async function busyboxApplets(busybox: string, run: ReturnType<typeof rootfsTools>): Promise<string> {
  if ((await run("ldd", [busybox]).catch(() => "")).includes("=>")) {
    throw rootfsFailed(`"${busybox}" is not statically linked`, {
      hint: "On Debian: apt-get install busybox-static",
    });
  }
  return run(busybox, ["--list"]);
}

function chooseSize(tree: ImageTree, wanted: number | undefined): number {
  const { neededBytes, comfortableBytes } = imageSize(tree);
  if (wanted === undefined) return comfortableBytes;
  if (wanted >= neededBytes) return wanted;
  throw rootfsFailed(`its files need ${neededBytes} bytes, --size gives ${wanted}`, {
    hint: `Use --size ${comfortableBytes}, or leave it out`,
  });
}

async function compress(image: string, signal: AbortSignal | undefined): Promise<string> {
  const compressed = `${image}.gz`;
  await pipeline(createReadStream(image), createGzip(), createWriteStream(compressed), { signal });
  return compressed;
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path);
  await file.sync();
}
